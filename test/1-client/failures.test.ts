import { spawn } from 'node:child_process';
import { getEventListeners, once } from 'node:events';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { type Client, type ClientError, connect } from '../../client/client.ts';
import {
  deadAddress,
  failureOf,
  type Heard,
  refusal,
  reply,
  type Scripted,
  scripted,
  startNode,
} from './servers.ts';

describe('the client, when things fail', () => {
  const open: { close(): Promise<void> }[] = [];

  /** Whatever is given is closed after the test. */
  function closing<T extends { close(): Promise<void> }>(what: T): T {
    open.push(what);
    return what;
  }

  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });

  const server = async (...args: Parameters<typeof scripted>): Promise<Scripted> =>
    closing(await scripted(...args));
  const client = (...args: Parameters<typeof connect>): Client => closing(connect(...args));

  it('comes back by itself when a node has restarted on the same port', async () => {
    const first = await startNode();
    const user = client(first.address);
    await user.set('/k', 'before');
    await first.close();
    const asked = user.get('/k');
    const second = closing(await startNode(first.address));
    expect((await asked).value, 'what stage 0 holds is gone with it').to.equal(null);
    await user.set('/k', 'after');
    expect((await user.get('/k')).value).to.equal('after');
    expect(second.address).to.equal(first.address);
  });

  it('says of every address why it did not answer, on one line', async () => {
    const [one, two] = [await deadAddress(), await deadAddress()];
    const error = await failureOf<ClientError>(client([one, two], { failFast: true }).set('/k', 'v'));
    expect(error).to.include({ code: 'NODE_UNREACHABLE', definite: true, retry: true });
    expect(error.message).to.equal(
      `no node answers: ${one} refused the connection (ECONNREFUSED), ${two} refused the connection (ECONNREFUSED)`,
    );
  });

  it('keeps trying until the deadline when it is not told to fail fast', async () => {
    const address = await deadAddress();
    const began = performance.now();
    const error = await failureOf<ClientError>(client(address).get('/k', { timeout: 300 }));
    expect(error).to.include({ code: 'NODE_UNREACHABLE', definite: true });
    expect(error.message).to.include('ECONNREFUSED');
    expect(performance.now() - began).to.be.within(295, 2_000);
  });

  it('takes a node that waits for a leader for none that is out of reach, and ends with what it says', async () => {
    const waits = await server((request, socket) => {
      const told = () => reply(socket, request.id, refusal('NO_LEADER', true, true));
      setTimeout(told, Number(request.timeout) - 250);
    });
    const user = client([await deadAddress(), waits.address], { failFast: true });
    expect(await failureOf<ClientError>(user.get('/k', { timeout: 3_000 }))).to.include({
      code: 'NO_LEADER',
    });
  });

  it('fails fast on what only a person can mend, unless another node may know better', async () => {
    const refuse = (request: Heard, socket: Socket) =>
      reply(socket, request.id, refusal('NOT_INITIALISED', true, true));
    const waits = await server(refuse, { hasSessions: true });
    const user = client(waits.address, { failFast: true });
    const errors = await Promise.all([
      failureOf<ClientError>(user.get('/k')),
      failureOf<ClientError>(user.set('/k', 'v')),
    ]);
    for (const error of errors) expect(error).to.include({ code: 'NOT_INITIALISED', definite: true });
    expect(waits.heard.map(({ op }) => op)).to.have.members(['get', 'session']);
    const works = closing(await startNode());
    expect((await client([waits.address, works.address], { failFast: true }).get('/k')).mod).to.equal(0);
  });

  it('fails fast anew for each request, and finds a node that has come meanwhile', async () => {
    const address = await deadAddress();
    const user = client(address, { failFast: true });
    for (let n = 0; n < 3; n += 1) {
      expect(await failureOf<ClientError>(user.get('/k'))).to.include({ code: 'NODE_UNREACHABLE' });
    }
    closing(await startNode(address));
    expect((await user.ping()).pong).to.equal(true);
  });

  it('ends a request at its deadline when the node never answers', async () => {
    const silent = await server(() => {});
    const user = client(silent.address, { timeout: 100 });
    const began = performance.now();
    const [read, change] = await Promise.all([
      failureOf<ClientError>(user.get('/k')),
      failureOf<ClientError>(user.set('/k', 'v')),
    ]);
    expect(read, 'a read that times out changed nothing').to.include({ code: 'TIMEOUT', definite: true });
    expect(change).to.include({ code: 'TIMEOUT', definite: false, retry: true });
    expect(change.message).to.include('within 100 ms').and.include('read before you repeat it');
    expect(performance.now() - began).to.be.within(95, 2_000);
    expect(silent.heard[0]?.timeout, 'the node is told the time that is left').to.be.within(1, 100);
  });

  it('names the time that the caller gave, and what stood in the way before', async () => {
    const node = await server((request, socket, nth) => {
      const late = refusal('TIMEOUT', false, true, { timeout: request.timeout });
      reply(socket, request.id, nth < 3 ? refusal('NO_LEADER', true, true) : late);
    });
    const user = client(node.address);
    const error = await failureOf<ClientError>(user.set('/k', 'v', { timeout: 3_000 }));
    expect(error).to.include({ code: 'TIMEOUT', definite: false });
    expect(error.message).to.equal(
      'set was not done within 3000 ms; it may or may not have happened: read before you repeat it; ' +
        `before that, ${node.address} answered NO_LEADER: NO_LEADER it is`,
    );
  });

  it('leaves a node that has not said a word for one that does', async () => {
    const silent = await server(() => {});
    const node = closing(await startNode());
    const user = client([silent.address, node.address], { timeout: 100 });
    expect(await failureOf<ClientError>(user.get('/k'))).to.include({ code: 'TIMEOUT' });
    expect((await user.get('/k')).value).to.equal(null);
    expect(user.address).to.equal(node.address);
  });

  it('gives a change that nothing would repeat to a node that answers, not to one that has not said a word', async () => {
    const silent = await server(() => {});
    const node = closing(await startNode());
    const user = client([silent.address, node.address], { session: false });
    expect(await user.set('/k', 'v')).to.include({ rev: 1 });
    expect(silent.heard.map(({ op }) => op)).to.deep.equal(['ping']);
  });

  it('never takes a late reply for the answer to another request', async () => {
    const slow = await server((request, socket, nth) => {
      if (nth === 1) return;
      reply(socket, request.id - 1, { ok: true, rev: 1, value: 'of the first' });
      reply(socket, request.id, { ok: true, rev: 1, value: 'of the second' });
    });
    const user = client(slow.address);
    const abort = new AbortController();
    const first = user.get('/1', { signal: abort.signal });
    await slow.hears(1);
    abort.abort();
    await failureOf(first);
    expect((await user.get('/2')).value).to.equal('of the second');
  });

  it('ends a request when its signal is raised, and says whether it may have happened', async () => {
    const silent = await server(() => {});
    const user = client(silent.address);
    const raised = await failureOf<ClientError>(user.set('/k', 'v', { signal: AbortSignal.abort('enough') }));
    expect(raised).to.include({ name: 'AbortError', definite: true, cause: 'enough' });
    expect(silent.heard).to.deep.equal([]);

    const abort = new AbortController();
    const sent = user.set('/k', 'v', { signal: abort.signal });
    await silent.hears(1);
    const unsent = user.set('/k', 'v', { signal: abort.signal });
    abort.abort();
    expect(await failureOf<ClientError>(sent)).to.include({ name: 'AbortError', definite: false });
    expect(await failureOf<ClientError>(unsent)).to.include({ name: 'AbortError', definite: true });
  });

  it('ends a hundred requests with one signal, and keeps no listener for those that are done', async () => {
    const node = await server((request, socket) => {
      if (request.op === 'get') reply(socket, request.id);
    });
    const user = client(node.address);
    const warnings: Error[] = [];
    const warned = (warning: Error) => warnings.push(warning);
    process.on('warning', warned);
    const abort = new AbortController();
    const { signal } = abort;
    const changes = Array.from({ length: 100 }, () =>
      failureOf<ClientError>(user.set('/k', 'v', { signal })),
    );
    await Promise.all(Array.from({ length: 100 }, () => user.get('/k', { signal })));
    expect(getEventListeners(signal, 'abort')).to.have.length(1);
    abort.abort();
    for (const error of await Promise.all(changes)) expect(error.name).to.equal('AbortError');
    const after = new AbortController();
    await user.get('/k', { signal: after.signal });
    expect(getEventListeners(after.signal, 'abort')).to.have.length(0);
    process.off('warning', warned);
    expect(warnings).to.deep.equal([]);
  });

  describe('retries only what is safe', () => {
    it('a change that was never sent: it waited for room when the connection was cut', async () => {
      const cut = await server((_, socket) => socket.destroy());
      const live = await server((request, socket) => reply(socket, request.id, { ok: true, rev: 1, mod: 1 }));
      const user = client([cut.address, live.address]);
      const value = 'x'.repeat(100_000);
      const names = Array.from({ length: 100 }, (_, n) => `/k/${n}`);
      const lost: string[] = [];
      await Promise.all(
        names.map(name =>
          user.set(name, value).catch((error: ClientError) => {
            expect(error).to.include({ code: 'LEADER_LOST', definite: false });
            lost.push(name);
          }),
        ),
      );
      const done = live.heard.filter(({ op }) => op === 'set').map(({ key }) => key);
      expect(lost).to.not.deep.equal([]);
      expect(done).to.not.deep.equal([]);
      expect([...lost, ...done].sort(), 'each once, here or there').to.deep.equal(names.sort());
    });

    it('a read whose connection was cut after it was sent', async () => {
      const node = await server((request, socket, nth) => {
        if (nth === 1) socket.destroy();
        else reply(socket, request.id);
      });
      expect((await client(node.address).get('/k')).value).to.equal('v');
      expect(node.heard).to.have.length(2);
    });

    it('but not a change whose connection was cut after it was sent', async () => {
      const node = await server((_, socket) => socket.destroy());
      const error = await failureOf<ClientError>(client(node.address).set('/k', 'v'));
      expect(error).to.include({ code: 'LEADER_LOST', definite: false, retry: true });
      expect(error.message).to.include(node.address).and.include('may or may not have happened');
      expect(node.heard, 'sent once').to.have.length(1);
    });

    for (const [code, definite, retry, times] of [
      ['BUSY', true, true, 3],
      ['NO_LEADER', true, true, 3],
      ['CONFLICT', true, false, 1],
      ['TIMEOUT', false, true, 1],
      ['LEADER_LOST', false, true, 1],
      ['INTERNAL', false, false, 1],
    ] as const) {
      it(`a change refused with ${code} is sent ${times === 1 ? 'once' : 'again'}`, async () => {
        const node = await server((request, socket, nth) => {
          reply(socket, request.id, nth < 3 ? refusal(code, definite, retry) : undefined);
        });
        const outcome = client(node.address).set('/k', 'v');
        if (times === 1) {
          expect(await failureOf<ClientError>(outcome)).to.include({ code, definite, retry });
        } else {
          expect((await outcome).ok).to.equal(true);
        }
        expect(node.heard).to.have.length(times);
        expect(new Set(node.heard.map(({ id }) => id)), 'an id for each attempt').to.have.property(
          'size',
          times,
        );
      });
    }

    it('a read refused with an unknown outcome, since it changes nothing', async () => {
      const node = await server((request, socket, nth) => {
        reply(socket, request.id, nth === 1 ? refusal('LEADER_LOST', false, true) : undefined);
      });
      expect((await client(node.address).get('/k')).value).to.equal('v');
    });

    it('nor what changes the cluster itself', async () => {
      const node = await server((_, socket) => socket.destroy());
      const error = await failureOf<ClientError>(client(node.address).request('transfer-leader'));
      expect(error).to.include({ code: 'LEADER_LOST', definite: false });
      expect(node.heard).to.have.length(1);
    });

    it('an operation that this client does not know counts as a change', async () => {
      const node = await server((_, socket) => socket.destroy());
      const error = await failureOf<ClientError>(client(node.address).request('future-op'));
      expect(error).to.include({ code: 'LEADER_LOST', definite: false });
      expect(node.heard).to.have.length(1);
    });

    it('and no longer than the deadline, which ends with the last refusal', async () => {
      const node = await server((request, socket) => reply(socket, request.id, refusal('BUSY', true, true)));
      const began = performance.now();
      const error = await failureOf<ClientError>(client(node.address).set('/k', 'v', { timeout: 300 }));
      expect(error).to.include({ code: 'BUSY', definite: true });
      expect(performance.now() - began).to.be.below(1_000);
      expect(node.heard.length).to.be.within(2, 100);
    });
  });

  it('follows NOT_LEADER to the leader, listed or not', async () => {
    const leader = await server((request, socket) => reply(socket, request.id));
    const follower = await server((request, socket) => {
      const at = { leader: { id: 'n2', address: leader.address } };
      reply(socket, request.id, refusal('NOT_LEADER', true, true, at));
    });
    const user = client(follower.address, { session: false });
    const found = await Promise.all([user.set('/k', 'v'), user.set('/k', 'v'), user.get('/k')]);
    expect(found.every(({ ok }) => ok)).to.equal(true);
    expect(user.address).to.equal(leader.address);
    expect(follower.heard).to.have.length(3);
    expect(leader.heard).to.have.length(3);
    await user.set('/k', 'v');
    expect(leader.heard).to.have.length(4);
  });

  it('asks another node when one knows no leader', async () => {
    const lost = await server((request, socket) =>
      reply(socket, request.id, refusal('NO_LEADER', true, true)),
    );
    const node = closing(await startNode());
    const user = client([lost.address, node.address]);
    await user.set('/k', 'v');
    expect(user.address).to.equal(node.address);
  });

  it('goes on with the replies still due on a connection it has left', async () => {
    const other = await server((request, socket) => reply(socket, request.id));
    const held: (() => void)[] = [];
    const shutting = await server((request, socket, nth) => {
      if (nth === 1) held.push(() => reply(socket, request.id, { ok: true, rev: 9, mod: 9 }));
      else reply(socket, request.id, refusal('SHUTTING_DOWN', true, true));
    });
    const user = client([shutting.address, other.address]);
    const slow = user.set('/slow', '1');
    await user.set('/moved', '2');
    expect(user.address).to.equal(other.address);
    for (const answer of held) answer();
    expect((await slow).mod).to.equal(9);
  });

  for (const [what, line, words] of [
    ['HTTP', 'HTTP/1.1 400 Bad Request', 'does not speak this protocol'],
    ['a number', '42', 'does not speak this protocol'],
    ['a reply without ok', '{"id":1}', 'without "ok"'],
    ['an error without an id', '{"id":null,"ok":false,"error":{"code":"BAD_JSON","message":"eh"}}', 'eh'],
  ] as const) {
    it(`breaks with a server that answers with ${what}`, async () => {
      const strange = await server((_, socket) => socket.write(`${line}\n{"id":1,"ok":true}\n`));
      const user = client(strange.address, { failFast: true });
      const read = await failureOf<ClientError>(user.get('/k'));
      expect(read).to.include({ code: 'NODE_UNREACHABLE', definite: true });
      expect(read.message).to.include(strange.address).and.include(words);
      const change = await failureOf<ClientError>(user.set('/k', 'v', { timeout: 200 }));
      expect(change.definite).to.equal(false);
    });
  }

  it('ignores pushes and replies to nobody', async () => {
    const chatty = await server((request, socket) => {
      socket.write('{"watch":1,"rev":3,"progress":true}\n\n{"id":99999,"ok":true,"rev":0}\n');
      reply(socket, request.id);
    });
    expect((await client(chatty.address).get('/k')).value).to.equal('v');
  });

  it('does not let a reply without an end fill the memory', async () => {
    const endless = await server((_, socket) => socket.write('x'.repeat(5_000_000)));
    const error = await failureOf<ClientError>(client(endless.address, { failFast: true }).get('/k'));
    expect(error.message).to.include('sent a line of more than');
  });

  it('waits, and holds little, when a node does not read', async () => {
    const deaf = await server(null);
    const user = client(deaf.address, { timeout: 2_000, session: false });
    const value = 'x'.repeat(100_000);
    const errors = await Promise.all(
      Array.from({ length: 400 }, () => failureOf<ClientError>(user.set('/k', value))),
    );
    const sent = errors.filter(({ definite }) => !definite).length;
    // What the two kernels and one bounded buffer took may have happened; the rest never left.
    expect(sent).to.be.within(1, 300);
    for (const error of errors) expect(error.code).to.equal('TIMEOUT');
    expect(errors.find(({ definite }) => definite)?.message).to.include('takes no more requests');
  });

  it('sends on when a node reads again', async () => {
    const slow = await server(null);
    const user = client(slow.address, { session: false });
    const value = 'x'.repeat(100_000);
    const all = Promise.all(Array.from({ length: 100 }, () => user.set('/k', value)));
    while (slow.sockets.size === 0) await new Promise(resolve => setImmediate(resolve));
    let id = 0;
    for (const socket of slow.sockets) {
      socket.on('data', (chunk: Buffer) => {
        for (const byte of chunk) {
          if (byte !== 0x0a) continue;
          id += 1;
          reply(socket, id);
        }
      });
      socket.resume();
    }
    expect(await all).to.have.length(100);
  });

  describe('when it is closed', () => {
    it('rejects what is open, as definitely as is true', async () => {
      const silent = await server(() => {});
      const user = client(silent.address);
      const [change, read] = [user.set('/k', 'v'), user.get('/k')].map(promise =>
        failureOf<ClientError>(promise),
      );
      await silent.hears(2);
      const unsent = failureOf<ClientError>(user.set('/k', 'v'));
      await user.close();
      expect(await change).to.include({ code: 'LEADER_LOST', definite: false });
      expect(await read).to.include({ code: 'SHUTTING_DOWN', definite: true, retry: false });
      expect(await unsent).to.include({ code: 'SHUTTING_DOWN', definite: true });
      expect(await failureOf<ClientError>(user.get('/k'))).to.include({ code: 'SHUTTING_DOWN' });
      await user.close();
    });

    it('leaves nothing that keeps a process alive', async () => {
      const node = closing(await startNode());
      const library = new URL('../../client/client.js', import.meta.url).href;
      const program = `
        import { connect } from ${JSON.stringify(library)};
        const client = connect(${JSON.stringify(node.address)});
        await client.set('/k', 'v');
        await client.close();
        console.log(process.getActiveResourcesInfo().filter(name => /TCP|Time/.test(name)).join());`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        stdio: ['ignore', 'pipe', 'inherit'],
        timeout: 10_000,
      });
      let output = '';
      child.stdout.on('data', chunk => (output += chunk));
      const [status, signal] = await once(child, 'close');
      expect({ status, signal, output }).to.deep.equal({ status: 0, signal: null, output: '\n' });
    });
  });
});
