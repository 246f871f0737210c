import { expect } from 'chai';
import type {
  Client,
  ClusterEvent,
  Entry,
  Instance,
  Lock,
  Transaction,
  WatchUpdate,
} from '../../client/client.ts';
import { all } from '../1-client/servers.ts';
import { eventually } from './real-cluster.ts';

/** Seconds that what is kept alive here lasts by itself. */
export const TTL = 5;

/** Where a recipe is tried. */
export interface Setting {
  /** Who led when the fault struck. */
  victim(): string | undefined;
  /** A client that asks the leader, and others only when it must. */
  near(): Client;
  /** A client that asks a follower. */
  far(): Client;
  /** Raised when the fault has struck. */
  readonly struck: AbortSignal;
  /** Resolves when more than `TTL` has passed since. */
  outlasted(): Promise<void>;
}

/** A recipe at work: begins, and resolves with what has to be so through the fault and behind it. */
export type Trial = (setting: Setting) => Promise<() => Promise<void>>;

/** Does something again and again, until it was done so many times behind the strike. */
function again(struck: AbortSignal, times: number, work: (nth: number) => Promise<unknown>) {
  let begin = () => {};
  const begun = new Promise<void>(resolve => {
    begin = resolve;
  });
  const done = (async () => {
    for (let nth = 0, left = times; left > 0; nth += 1) {
      await work(nth);
      begin();
      if (struck.aborted) left -= 1;
    }
  })();
  // Whoever waits for it hears of its failure; until then somebody has to.
  done.catch(() => {});
  return { begun: Promise.race([begun, done]), done };
}

/** What an iterator has brought so far, and how it failed if it did. */
function follow<T>(items: AsyncIterable<T>): { readonly heard: T[]; failure?: unknown } {
  const followed: { readonly heard: T[]; failure?: unknown } = { heard: [] };
  (async () => {
    for await (const item of items) followed.heard.push(item);
  })().catch(error => {
    followed.failure = error;
  });
  return followed;
}

async function keepsItsLock({ near, far, outlasted }: Setting): Promise<() => Promise<void>> {
  const [one, two] = [near(), far()];
  const first = await one.lock('trial', { ttl: TTL });
  let second: Lock | undefined;
  const waiter = two.lock('trial', { ttl: TTL }).then(lock => {
    second = lock;
    return lock;
  });
  waiter.catch(() => {});
  await eventually('it waits', async () => (await all(one.list('/locks/trial/'))).length === 2);
  return async () => {
    await one.set('/trial/lock', 'one', { if: first.guard });
    await outlasted();
    expect(first.lost.aborted, String(first.lost.reason)).to.equal(false);
    expect(first.isHeld).to.equal(true);
    expect(second).to.equal(undefined);
    await first.release();
    const next = await waiter;
    expect(next.fence).to.be.above(first.fence);
    await two.set('/trial/lock', 'two', { if: next.guard });
  };
}

async function hasOneLeader({ near, far, struck }: Setting): Promise<() => Promise<void>> {
  const observer = far();
  let leading = 0;
  let terms = 0;
  const candidates = [near(), far(), far()].map((user, at) =>
    again(struck, 3, async () => {
      const leadership = await user.elect('trial', String(at), { ttl: 10 });
      leading += 1;
      expect(leading).to.equal(1);
      await user.set('/trial/elected', String(at), { if: leadership.guard });
      expect(leadership.isHeld).to.equal(true);
      terms += 1;
      leading -= 1;
      await leadership.resign();
    }),
  );
  await Promise.all(candidates.map(({ begun }) => begun));
  return async () => {
    await Promise.all(candidates.map(({ done }) => done));
    expect(await observer.leader('trial')).to.equal(null);
    expect((await observer.get('/trial/elected')).version).to.equal(terms);
  };
}

async function hearsEachRevisionOnce({ near, far, struck }: Setting): Promise<() => Promise<void>> {
  const writer = far();
  const prefix = '/trial/watched/';
  const { rev } = await writer.set(`${prefix}both`, '');
  const written = [rev];
  const watches = [near(), far()].map(user => follow<WatchUpdate>(user.watch(prefix, { from: rev })));
  const set = (key: string) => ({ op: 'set', key: `${prefix}${key}`, value: '' }) as const;
  const writing = again(struck, 20, async nth => {
    // biome-ignore lint/suspicious/noThenProperty: a field of the protocol
    const reply = await writer.txn({ then: [set(String(nth)), set('both')] });
    written.push(reply.rev);
  });
  await writing.begun;
  return async () => {
    await writing.done;
    for (const watch of watches) {
      await eventually('all has been heard', () => watch.failure || watch.heard.length >= written.length);
      expect(watch.failure).to.equal(undefined);
      expect(watch.heard.map(update => update.rev)).to.deep.equal(written);
      for (const update of watch.heard.slice(1)) {
        expect(update.type === 'events' && update.events.length, 'both keys of each').to.equal(2);
      }
    }
  };
}

async function becomesWhatTheStoreIs({ near, far, struck }: Setting): Promise<() => Promise<void>> {
  const writer = near();
  const prefix = '/trial/cached/';
  await writer.set(`${prefix}0`, 'begin');
  const caches = [near(), far()].map(user => user.cached(prefix));
  await Promise.all(caches.map(({ ready }) => ready));
  const writing = again(struck, 20, async nth => {
    await writer.set(`${prefix}${nth % 17}`, String(nth));
    if (nth % 5 === 0) await writer.remove(`${prefix}${(nth * 7) % 17}`);
  });
  await writing.begun;
  return async () => {
    await writing.done;
    const { rev } = await writer.set(`${prefix}last`, 'yes');
    const entries = await all<Entry>(writer.list(prefix, { values: true }));
    for (const cache of caches) {
      await eventually('it has come', () => cache.rev >= rev);
      expect(cache.entries()).to.deep.equal(entries);
    }
  };
}

async function losesNothingAndMakesNothing({ near, far, struck }: Setting): Promise<() => Promise<void>> {
  const users = [near(), far()];
  const [user = near()] = users;
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'] as const;
  await Promise.all(names.map(name => user.set(`/trial/bank/${name}`, '100')));
  const transfer = (client: Client, name: string, nth: number) => {
    const at = (place: number) => names[place % names.length];
    const [from, to] = [at(nth * nth), at(nth * nth + 1 + (nth % 2))];
    return client.transaction(async (tx: Transaction) => {
      const [a, b] = [Number(await tx.get(`/trial/bank/${from}`)), Number(await tx.get(`/trial/bank/${to}`))];
      tx.set(`/trial/bank/${from}`, String(a - 1));
      tx.set(`/trial/bank/${to}`, String(b + 1));
      tx.set(`/trial/log/${name}-${nth}`, `${from} to ${to}`);
    });
  };
  let count = 0;
  const transfers = users.map((client, at) =>
    again(struck, 10, async nth => {
      await transfer(client, String(at), nth);
      count += 1;
    }),
  );
  await Promise.all(transfers.map(({ begun }) => begun));
  return async () => {
    await Promise.all(transfers.map(({ done }) => done));
    const log = await all<Entry>(user.list('/trial/log/', { values: true }));
    expect(log).to.have.length(count);
    for (const { key, version } of log) expect(version, key).to.equal(1);
    for (const name of names) {
      const paid = log.filter(({ value }) => value?.startsWith(`${name} to`)).length;
      const got = log.filter(({ value }) => value?.endsWith(`to ${name}`)).length;
      const { value } = await user.get(`/trial/bank/${name}`);
      expect(Number(value), `what ${name} has is what the log says`).to.equal(100 - paid + got);
    }
  };
}

async function happensOnce({ near, far, struck }: Setting): Promise<() => Promise<void>> {
  let count = 0;
  const users = [near(), far()];
  const writes = Array.from({ length: 8 }, (_, at) =>
    again(struck, 10, async nth => {
      await users[at % 2]?.set('/trial/once', `${at} ${nth}`);
      count += 1;
    }),
  );
  await Promise.all(writes.map(({ begun }) => begun));
  return async () => {
    await Promise.all(writes.map(({ done }) => done));
    const { version } = (await users[0]?.get('/trial/once')) ?? {};
    expect(version, 'one version for each write').to.equal(count);
  };
}

async function keepsItsLease({ near, far, outlasted }: Setting): Promise<() => Promise<void>> {
  const [one, two] = [far(), near()];
  const users = [one, two];
  const keys = () => all(one.list('/trial/leased/'));
  const leases = await Promise.all(users.map(user => user.lease(TTL)));
  await Promise.all(
    leases.map((lease, at) => users[at]?.set(`/trial/leased/${at}`, '', { lease: lease.id })),
  );
  return async () => {
    await outlasted();
    for (const lease of leases) {
      expect(lease.lost.aborted, String(lease.lost.reason)).to.equal(false);
      expect(lease.isHeld).to.equal(true);
    }
    expect(await keys()).to.have.length(2);
    await Promise.all(leases.map(lease => lease.revoke()));
    for (const lease of leases) expect(lease.lost.aborted, 'what is let go is not lost').to.equal(false);
    expect(await keys()).to.deep.equal([]);
  };
}

async function staysRegistered({ near, far, outlasted }: Setting): Promise<() => Promise<void>> {
  const ids = ['a', 'b'];
  const registrations = await Promise.all(
    [near(), far()].map((user, at) =>
      user.register('trial', { id: ids[at] ?? '', address: 'x' }, { ttl: TTL }),
    ),
  );
  const lists = [near(), far()].map(user => user.services('trial'));
  await Promise.all(lists.map(({ ready }) => ready));
  const changes: (readonly Instance[])[] = [];
  for (const list of lists) list.onChange(instances => changes.push(instances));
  return async () => {
    await outlasted();
    for (const registration of registrations) expect(registration.isThere).to.equal(true);
    for (const list of lists) expect(list.list().map(({ id }) => id)).to.deep.equal(ids);
    expect(changes).to.deep.equal([]);
    await Promise.all(registrations.map(registration => registration.withdraw()));
    await eventually('all hear of that', () => lists.every(list => list.list().length === 0));
  };
}

async function tellsWhoLeads({ victim, far }: Setting): Promise<() => Promise<void>> {
  const { heard } = follow<ClusterEvent>(far().watchCluster());
  const leaders = () => heard.flatMap(event => (event.type === 'leader' && event.id ? [event.id] : []));
  await eventually('it is told of one', () => leaders().length > 0);
  return () => eventually('it is told of another', () => ![undefined, victim()].includes(leaders().at(-1)));
}

/** The recipes, each by what has to be so of it. */
export const TRIALS: Readonly<Record<string, Trial>> = {
  'an election has one winner at a time, and the next': hasOneLeader,
  'a watch tells of each revision once, whole and in order': hearsEachRevisionOnce,
  'a cache becomes what the store is': becomesWhatTheStoreIs,
  'transactions lose nothing and make nothing': losesNothingAndMakesNothing,
  'changes happen once each, whatever became of their answers': happensOnce,
  'a watch of the cluster tells who leads now': tellsWhoLeads,
  'a lease is kept alive far beyond its time, and its key with it': keepsItsLease,
  'a lock is kept, and passed on behind it': keepsItsLock,
  'a registration stays, and nobody sees it go': staysRegistered,
};
