import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import split2 from 'split2';
import { Call } from '../../client/call.ts';
import type { Client, ClientError, Entry, Success } from '../../client/client.ts';
import { Exchange } from '../../client/exchange.ts';
import { LineLink } from '../../client/line-link.ts';
import { type Place, Queue } from '../../client/recipes/queue.ts';
import type { Wire } from '../../client/recipes/wire.ts';
import { parseAddresses } from '../../client/roster.ts';
import { all, failureOf } from '../1-client/servers.ts';
import { eventually, RealCluster } from './real-cluster.ts';

const HOLDER = fileURLToPath(new URL('lock-holder.js', import.meta.url));

describe('locks of the client', function () {
  this.timeout(90_000).slow(20_000);
  const real = RealCluster.forSuite();
  const children: ChildProcess[] = [];

  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  /** A process that wants the lock, and what it has said so far. */
  function holder(name: string, ttl: number) {
    const child = spawn(process.execPath, [HOLDER, real.cluster.addresses.join(','), name, String(ttl)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    children.push(child);
    const said: Record<string, unknown>[] = [];
    child.stdout.pipe(split2()).on('data', (line: string) => said.push(JSON.parse(line)));
    const hears = async (field: string): Promise<Record<string, unknown>> => {
      await eventually(`the holder says "${field}"`, () => said.some(one => field in one));
      return said.find(one => field in one) ?? {};
    };
    return { child, said, hears };
  }

  const waiting = async (user: Client, name: string) => (await all(user.list(`/locks/${name}/`))).length;

  it('are held by one at a time, in the order in which they were asked for, with rising fences', async () => {
    const users = Array.from({ length: 6 }, () => real.client());
    const order: number[] = [];
    const fences: number[] = [];
    let inside = 0;
    const turns: Promise<void>[] = [];
    for (const [at, user] of users.entries()) {
      turns.push(
        (async () => {
          const lock = await user.lock('fair');
          inside += 1;
          expect(inside).to.equal(1);
          expect(lock.isHeld).to.equal(true);
          expect(lock.guard).to.deep.equal({ key: lock.key, create: lock.fence });
          order.push(at);
          fences.push(lock.fence);
          if (at === 0)
            await eventually('all the others wait', async () => (await waiting(user, 'fair')) === 6);
          await user.set('/locks-test/fair', String(at), { if: lock.guard });
          inside -= 1;
          await lock.release();
          expect(lock.isHeld).to.equal(false);
          expect(lock.lost.aborted).to.equal(false);
        })(),
      );
      await eventually('it stands in the queue', async () => {
        return order.includes(at) || (await waiting(users[0] as Client, 'fair')) > at;
      });
    }
    await Promise.all(turns);
    expect(order).to.deep.equal([0, 1, 2, 3, 4, 5]);
    expect(fences).to.deep.equal([...fences].sort((a, b) => a - b));
    expect(await waiting(users[0] as Client, 'fair')).to.equal(0);
  });

  it('do not get in each other\u2019s way, even where one name begins with the other', async () => {
    const user = real.client();
    const locks = await Promise.all(['a', 'a/b', 'a/b/c', 'ab'].map(name => user.lock(name)));
    expect(locks.every(({ isHeld }) => isHeld)).to.equal(true);
    await Promise.all(locks.map(lock => lock.release()));
    expect(await failureOf<ClientError>(user.lock(''))).to.include({ code: 'BAD_REQUEST' });
  });

  it('are left by whoever gives up waiting, and by whoever closes its client', async () => {
    const [one, two, three, four] = [real.client(), real.client(), real.client(), real.client()];
    const first = await one.lock('left');
    const abort = new AbortController();
    const second = failureOf<ClientError>(two.lock('left', { signal: abort.signal }));
    await eventually('it waits', async () => (await waiting(one, 'left')) === 2);
    const third = failureOf<ClientError>(three.lock('left'));
    await eventually('it waits', async () => (await waiting(one, 'left')) === 3);
    const fourth = four.lock('left');
    await eventually('it waits', async () => (await waiting(one, 'left')) === 4);
    abort.abort('enough');
    expect(await second).to.include({ name: 'AbortError', cause: 'enough' });
    await eventually('its place is gone', async () => (await waiting(one, 'left')) === 3);
    await three.close();
    expect(await third).to.be.instanceOf(Error);
    await one.close();
    expect(first.lost.aborted).to.equal(false);
    expect((await fourth).isHeld).to.equal(true);
  });

  it('tell whoever asks for them that another is before, and nobody else', async () => {
    const [one, two] = [real.client(), real.client()];
    const told: string[] = [];
    const first = await one.lock('told', { onWait: () => told.push('first') });
    const second = two.lock('told', { onWait: () => told.push('second') });
    await eventually('the second is told', () => told.includes('second'));
    await first.release();
    await (await second).release();
    expect(told).to.deep.equal(['second']);
  });

  it('are lost by a holder that stands still, whose late write is refused', async () => {
    const still = holder('paused', 2);
    const { fence } = await still.hears('fence');
    still.child.stdin?.write('before\n');
    expect(await still.hears('wrote')).to.include({ wrote: 'before', isHeld: true });
    still.child.kill('SIGSTOP');

    const user = real.client();
    const next = await user.lock('paused', { ttl: 5 });
    expect(next.fence).to.be.above(Number(fence));
    await user.set('/guarded', 'of the next', { if: next.guard });

    // It has much to say as soon as it can: what it was told to write comes before it knows that time has passed.
    still.child.stdin?.write('late\n');
    still.child.kill('SIGCONT');
    expect(await still.hears('refused')).to.include({ refused: 'late', code: 'CONFLICT' });
    expect(await still.hears('lost')).to.include({ isHeld: false });
    expect((await user.get('/guarded')).value).to.equal('of the next');
  });

  it('pass from a holder whose process is killed, within its time and two seconds', async () => {
    const killed = holder('killed', 2);
    await killed.hears('fence');
    killed.child.kill('SIGKILL');
    await once(killed.child, 'exit');
    const began = performance.now();
    const next = await real.client().lock('killed');
    // Two more for a machine that has much else to do.
    expect(performance.now() - began).to.be.below(6_000);
    expect(next.isHeld).to.equal(true);
  });

  it('are lost at once when somebody removes their key or revokes their lease', async () => {
    const [one, two] = [real.client(), real.client()];
    const removed = await one.lock('removed', { ttl: 60 });
    await two.remove(removed.key);
    await eventually('it is lost', () => removed.lost.aborted);
    expect(removed.isHeld).to.equal(false);
    expect(String(removed.lost.reason)).to.include('was removed');
    const revoked = await one.lock('revoked', { ttl: 60 });
    const { lease } = await two.get(revoked.key);
    await two.revoke(Number(lease));
    await eventually('it is lost', () => revoked.lost.aborted);
  });

  for (const [how, end] of Object.entries({
    'its key was removed': (user: Client, { key }: Entry) => user.remove(key),
    'its lease was revoked': (user: Client, { lease = 0 }: Entry) => user.revoke(lease),
  })) {
    it(`are waited for again at once, from the end of the queue, by one that heard that ${how}`, async () => {
      const users = [real.client(), real.client(), real.client()] as const;
      const [one, two, three] = users;
      const queue = () => all(one.list('/locks/again/', { values: true }));
      const first = await one.lock('again', { ttl: 60 });
      const second = two.lock('again', { ttl: 60 });
      await eventually('it waits', async () => (await queue()).length === 2);
      const [place] = (await queue()).filter(({ key }) => key !== first.key);
      const third = three.lock('again', { ttl: 60 });
      await eventually('it waits', async () => (await queue()).length === 3);
      await end(one, place as Entry);
      await eventually('it waits again', async () => {
        const keys = (await queue()).map(({ key }) => key);
        return keys.length === 3 && !keys.includes(place?.key ?? '');
      });
      await first.release();
      expect((await third).fence, 'who came before it came back').to.be.above(first.fence);
      await (await third).release();
      expect((await second).fence).to.be.above((await third).fence);
      await (await second).release();
    });
  }

  it('are waited for without a crowd: when one is let go, only the next is woken', async () => {
    const exchange = new Exchange(parseAddresses(real.cluster.addresses), {
      dial: (address, owner) => new LineLink(address, owner),
      isImpatient: false,
      session: {},
    });
    const asked = { list: 0, watch: 0 };
    const wire: Wire = {
      timeout: 5_000,
      request: (op, fields, { timeout = 5_000, signal } = {}) => {
        if (op === 'list') asked.list += 1;
        return new Promise((resolve, reject) => {
          exchange.submit(
            new Call({ op, fields, timeout }, resolve as (reply: Success | string) => void, reject),
            signal,
          );
        });
      },
      open: (op, fields, listener) => {
        asked.watch += 1;
        return exchange.open(op, fields, 5_000, listener);
      },
      forsake: () => {},
      keep: () => () => {},
    };
    const queue = new Queue(wire, '/locks/herd/');
    const held: Place[] = [];
    const entering = Array.from({ length: 20 }, (_, n) =>
      queue.enter(String(n), { ttl: 60 }).then(place => held.push(place)),
    );
    const user = real.client();
    const keys = async () => {
      const { keys: found } = await user.request('list', { prefix: '/locks/herd/' });
      return (found as string[]).length;
    };
    await eventually('all stand in it', async () => (await keys()) === 20 && held.length === 1);
    // Each watches its own key, and all but the head the one before.
    await eventually('each watches two keys', () => asked.watch === 39);
    const before = { ...asked };
    await held[0]?.release();
    await eventually('the next has it', () => held.length === 2);
    expect(asked.list - before.list, 'one has looked').to.equal(1);
    expect(asked.watch - before.watch, 'and watches what it watched').to.equal(0);
    for (let at = 1; at < 20; at += 1) {
      await eventually('the next has it', () => held.length > at);
      await held[at]?.release();
    }
    await Promise.all(entering);
    expect(held.map(({ create }) => create)).to.deep.equal(
      held.map(({ create }) => create).sort((a, b) => a - b),
    );
    await exchange.close();
  });

  it('as elections, are won by one, whom others can read, and then by the next', async () => {
    const [one, two] = [real.client(), real.client()];
    expect(await one.leader('e')).to.equal(null);
    const first = await one.elect('e', 'one');
    expect(await two.leader('e')).to.deep.equal({ value: 'one', key: first.key, fence: first.fence });
    expect(first).to.include({ name: 'e', value: 'one', isHeld: true });
    const second = two.elect('e', 'two');
    await first.resign();
    expect((await second).fence).to.be.above(first.fence);
    expect((await one.leader('e'))?.value).to.equal('two');
    await (await second).resign();
    expect(await one.leader('e')).to.equal(null);
  });
});
