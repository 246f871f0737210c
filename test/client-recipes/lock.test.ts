import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import split2 from 'split2';
import type { Client, ClientError, Entry, Lock } from '../../client/client.ts';
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

  it('are kept through the death of the leader, and passed on behind it', async () => {
    const [one, two] = [real.client(), real.client()];
    const first = await one.lock('failover', { ttl: 5 });
    let second: Lock | undefined;
    const waiter = two.lock('failover', { ttl: 5 }).then(lock => {
      second = lock;
    });
    await eventually('it waits', async () => (await waiting(one, 'failover')) === 2);
    const [leader = ''] = await real.idsFromLeader();
    await real.cluster.node(leader).kill();
    await one.set('/locks-test/failover', 'one', { if: first.guard, timeout: 20_000 });
    const began = performance.now();
    await eventually('longer than its time has passed', () => {
      expect(first.lost.aborted, String(first.lost.reason)).to.equal(false);
      expect(second).to.equal(undefined);
      return performance.now() - began > 6_000;
    });
    await first.release();
    await waiter;
    expect(second?.fence).to.be.above(first.fence);
    await two.set('/locks-test/failover', 'two', { if: (second as Lock).guard });
  });

  it('are kept through a partition that cuts off the node of holder and waiter, and passed on behind it', async () => {
    const [leader = '', ...others] = await real.idsFromLeader();
    const [one, two] = [real.client([leader, ...others]), real.client([leader, ...others])];
    const first = await one.lock('partition', { ttl: 8 });
    const waiter = two.lock('partition', { ttl: 8 });
    await eventually('it waits', async () => (await waiting(one, 'partition')) === 2);
    real.cluster.partition([[leader], others]);
    await one.set('/locks-test/partition', 'one', { if: first.guard, timeout: 20_000 });
    expect(first.isHeld).to.equal(true);
    await first.release();
    const second = await waiter;
    expect(second.fence).to.be.above(first.fence);
    await two.set('/locks-test/partition', 'two', { if: second.guard });
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
});
