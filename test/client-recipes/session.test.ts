import { expect } from 'chai';
import { type Client, type ClientError, connect } from '../../client/client.ts';
import { deadAddress, failureOf, refusal, reply, type Scripted, scripted } from '../1-client/servers.ts';

describe('the session of a client', () => {
  const open: { close(): Promise<void> }[] = [];

  function closing<T extends { close(): Promise<void> }>(what: T): T {
    open.push(what);
    return what;
  }

  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });

  const client = (...args: Parameters<typeof connect>): Client => closing(connect(...args));
  const DONE = { ok: true, rev: 1, mod: 1 };

  /** A server that gives out the sessions 1, 2, …; `act` hears everything else, and how much of it there was before. */
  async function server(
    act: (...args: [...Parameters<NonNullable<Parameters<typeof scripted>[0]>>]) => void,
  ): Promise<Scripted> {
    let sessions = 0;
    let others = 0;
    return closing(
      await scripted(
        (request, socket) => {
          if (request.op === 'session') {
            sessions += 1;
            reply(socket, request.id, { ok: true, rev: 0, session: sessions, ttl: request.ttl ?? 3_600 });
          } else {
            others += 1;
            act(request, socket, others);
          }
        },
        { hasSessions: true },
      ),
    );
  }

  const numbers = ({ heard }: Scripted) =>
    heard.flatMap(({ op, session, seq }) => (op === 'session' ? [] : [[session, seq]]));

  it('is asked for once, by the first change, and numbers every change; a read has no number', async () => {
    const node = await server((request, socket) => reply(socket, request.id, { ...DONE, value: null }));
    const user = client(node.address);
    await user.get('/k');
    expect(node.heard.map(({ op }) => op)).to.deep.equal(['get']);
    await Promise.all([user.set('/a', '1'), user.set('/b', '2'), user.remove('/c'), user.get('/k')]);
    expect(node.heard.filter(({ op }) => op === 'session')).to.have.length(1);
    const changes = node.heard.filter(({ op }) => op === 'set' || op === 'remove');
    expect(changes.map(({ session, seq }) => [session, seq])).to.deep.equal([
      [1, 1],
      [1, 2],
      [1, 3],
    ]);
    for (const { op, session } of node.heard) if (op === 'get') expect(session).to.equal(undefined);
  });

  it('can be done without, and lives as long as it is told', async () => {
    const node = await server((request, socket) => reply(socket, request.id, DONE));
    await client(node.address, { session: false }).set('/k', 'v');
    expect(node.heard.map(({ op }) => op)).to.deep.equal(['set']);
    await client(node.address, { session: { ttl: 60 } }).set('/k', 'v');
    expect(node.heard[1]).to.include({ op: 'session', ttl: 60 });
  });

  it('leaves a number that the caller gave as it is', async () => {
    const node = await server((request, socket) => reply(socket, request.id, DONE));
    await client(node.address).request('set', { key: '/k', value: 'v', session: 9, seq: 4 });
    expect(node.heard.map(({ op, session, seq }) => [op, session, seq])).to.deep.equal([['set', 9, 4]]);
  });

  it('lets a change whose connection was cut be sent again under its number', async () => {
    const node = await server((request, socket, nth) => {
      if (nth === 1) socket.destroy();
      else reply(socket, request.id, DONE);
    });
    expect((await client(node.address).set('/k', 'v')).mod).to.equal(1);
    expect(numbers(node)).to.deep.equal([
      [1, 1],
      [1, 1],
    ]);
  });

  it('lets a change be sent again to which a node answered that it does not know what became of it', async () => {
    const node = await server((request, socket, nth) =>
      reply(socket, request.id, nth === 1 ? refusal('LEADER_LOST', false, true) : DONE),
    );
    await client(node.address).set('/k', 'v');
    expect(numbers(node)).to.deep.equal([
      [1, 1],
      [1, 1],
    ]);
  });

  it('takes a change to another node when the first lost the lead and knows of no other leader', async () => {
    const deposed = await server((request, socket) =>
      reply(socket, request.id, refusal('LEADER_LOST', false, true, { leader: null })),
    );
    const other = await server((request, socket) => reply(socket, request.id, DONE));
    await client([deposed.address, other.address]).set('/k', 'v');
    expect(numbers(deposed)).to.deep.equal([[1, 1]]);
    expect(numbers(other)).to.deep.equal([[1, 1]]);
  });

  it('takes a change to another node when the first says nothing, or no more, before its time is over', async () => {
    const other = await server((request, socket) => reply(socket, request.id, DONE));
    const silent = await server(() => {});
    const fallingSilent = await server((request, socket) => {
      if (request.op === 'get') reply(socket, request.id);
    });
    const changes = [silent, fallingSilent].map(async node => {
      const user = client([node.address, other.address]);
      const change = user.set('/k', node.address);
      await node.hears(2);
      if (node === fallingSilent) await user.get('/k');
      await change;
    });
    await Promise.all(changes);
    for (const node of [silent, fallingSilent]) {
      const [seq] = node.heard.flatMap(({ op, session, seq }) => (op === 'set' ? [[session, seq]] : []));
      expect(seq).to.deep.equal([1, 1]);
      const moved = other.heard.filter(({ op, value }) => op === 'set' && value === node.address);
      expect(moved.map(({ session, seq }) => [session, seq])).to.deep.equal([[1, 1]]);
    }
  });

  it('says that the outcome is unknown when the time is over after an attempt without an answer', async () => {
    const node = await server((_, socket) => socket.destroy());
    const cut = await failureOf<ClientError>(client(node.address).set('/k', 'v', { timeout: 300 }));
    expect(cut).to.include({ definite: false });
    expect(cut.message).to.include('may or may not have happened');

    const busy = await server((request, socket, nth) => {
      if (nth === 1) socket.destroy();
      else reply(socket, request.id, refusal('BUSY', true, true));
    });
    const refused = await failureOf<ClientError>(client(busy.address).set('/k', 'v', { timeout: 300 }));
    expect(refused, 'the refusal is of the last attempt alone').to.include({ code: 'BUSY', definite: false });

    const conflict = await server((request, socket, nth) => {
      if (nth === 1) socket.destroy();
      else reply(socket, request.id, refusal('CONFLICT', true, false));
    });
    const settled = await failureOf<ClientError>(client(conflict.address).set('/k', 'v'));
    expect(settled, 'a conflict is the result itself').to.include({ code: 'CONFLICT', definite: true });
  });

  it('begins anew when it has expired, and the change, which did not happen, gets a number there', async () => {
    const node = await server((request, socket) =>
      reply(socket, request.id, request.session === 1 ? refusal('SESSION_EXPIRED', true, false) : DONE),
    );
    const user = client(node.address);
    await Promise.all([user.set('/a', '1'), user.set('/b', '2')]);
    expect(numbers(node).sort()).to.deep.equal([
      [1, 1],
      [1, 2],
      [2, 1],
      [2, 2],
    ]);
    expect(node.heard.filter(({ op }) => op === 'session')).to.have.length(2);
  });

  it('never sends a change anew that went unanswered in a session that has expired since', async () => {
    const node = await server((request, socket, nth) => {
      if (nth === 1) socket.destroy();
      else if (request.session === 1) reply(socket, request.id, refusal('SESSION_EXPIRED', true, false));
      else reply(socket, request.id, DONE);
    });
    const user = client(node.address);
    const error = await failureOf<ClientError>(user.set('/k', 'v'));
    expect(error).to.include({ code: 'SESSION_EXPIRED', definite: false });
    expect(error.message).to.include('may or may not have happened');
    expect(numbers(node)).to.deep.equal([
      [1, 1],
      [1, 1],
    ]);
    await user.set('/k', 'again');
    expect(numbers(node).at(-1)).to.deep.equal([2, 1]);
  });

  it('has at most 1,024 numbers between the first that is not answered and the last', async () => {
    let first: (() => void) | undefined;
    const node = await server((request, socket) => {
      const answer = () => reply(socket, request.id, DONE);
      if (request.seq === 1) first = answer;
      else answer();
    });
    const user = client(node.address);
    const all = Array.from({ length: 1_500 }, (_, n) => user.set(`/k/${n}`, ''));
    await Promise.all(all.slice(1, 1_024));
    await user.get('/k');
    expect(Math.max(...numbers(node).map(([, seq]) => Number(seq ?? 0)))).to.equal(1_024);
    first?.();
    await Promise.all(all);
    expect(numbers(node)).to.have.length(1_501);
  });

  it('keeps nothing back where there are no sessions, and asks again at the next node', async () => {
    const old = closing(await scripted((request, socket) => reply(socket, request.id, DONE)));
    const user = client(old.address);
    await Promise.all([user.set('/a', '1'), user.set('/b', '2')]);
    expect(old.heard.map(({ op, seq }) => [op, seq])).to.deep.equal([
      ['set', undefined],
      ['set', undefined],
    ]);
  });

  it('is done without while the cluster has no room for another', async () => {
    const node = closing(
      await scripted(
        (request, socket, nth) => {
          if (request.op === 'session') {
            reply(socket, request.id, refusal('BUSY', true, true, { limit: 100_000 }));
          } else if (nth < 4) reply(socket, request.id, DONE);
          else socket.destroy();
        },
        { hasSessions: true },
      ),
    );
    const user = client(node.address);
    await Promise.all([user.set('/a', '1'), user.set('/b', '2')]);
    const lost = await failureOf<ClientError>(user.set('/c', '3'));
    expect(lost, 'not repeated').to.include({ code: 'LEADER_LOST', definite: false });
    expect(node.heard.map(({ op, session, seq }) => [op, session, seq])).to.deep.equal([
      ['session', undefined, undefined],
      ['set', undefined, undefined],
      ['set', undefined, undefined],
      ['set', undefined, undefined],
    ]);
  });

  it('tells a change that waits for it in vain what the node said, and that nothing happened', async () => {
    const node = closing(
      await scripted((request, socket) => reply(socket, request.id, refusal('NO_LEADER', true, true)), {
        hasSessions: true,
      }),
    );
    const error = await failureOf<ClientError>(client(node.address).set('/k', 'v', { timeout: 300 }));
    expect(error).to.include({ code: 'NO_LEADER', definite: true, op: 'set' });

    const silent = closing(await scripted(() => {}, { hasSessions: true }));
    const overdue = await failureOf<ClientError>(client(silent.address).set('/k', 'v', { timeout: 100 }));
    expect(overdue).to.include({ code: 'TIMEOUT', definite: true, op: 'set' });

    const [one, two] = [await deadAddress(), await deadAddress()];
    const nowhere = client([one, two], { failFast: true });
    expect(await failureOf<ClientError>(nowhere.set('/k', 'v'))).to.include({
      code: 'NODE_UNREACHABLE',
      definite: true,
      op: 'set',
    });
  });

  it('ends what waits for it when its signal is raised or the client closed', async () => {
    const silent = closing(await scripted(() => {}, { hasSessions: true }));
    const user = client(silent.address);
    const abort = new AbortController();
    const raised = failureOf<ClientError>(user.set('/k', 'v', { signal: abort.signal }));
    const left = failureOf<ClientError>(user.set('/k', 'v'));
    await silent.hears(1);
    abort.abort();
    expect(await raised).to.include({ name: 'AbortError', definite: true });
    await user.close();
    expect(await left).to.include({ code: 'SHUTTING_DOWN', definite: true });
  });
});
