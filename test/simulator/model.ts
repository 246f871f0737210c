import type { Condition } from '../../src/wire/fields.ts';

/** A key as a read shows it. */
export interface Seen {
  readonly value: string | null;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  readonly lease?: number;
}

/** An operation on keys, by itself or in a transaction. */
export interface KeyStep {
  readonly op: string;
  readonly key?: string;
  readonly prefix?: string;
  readonly value?: string;
  readonly lease?: number;
  readonly prev?: boolean;
  readonly if?: readonly Condition[];
}

/** A command as an entry of the log holds it. */
export interface Command extends KeyStep {
  readonly then?: readonly KeyStep[];
  readonly else?: readonly KeyStep[];
  readonly ttl?: number;
  readonly session?: number;
  readonly seq?: number;
  readonly at?: number;
}

/** What whoever asked for a change has to be told: these fields, or an error of this code with these fields. */
export interface Told {
  readonly code?: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What a command came to. */
export interface Effect {
  readonly told: Told;
  /** The revision afterwards. */
  readonly rev: number;
  /** It came before under its session, and nothing happened this time. */
  readonly isRepeated: boolean;
}

/** What a revision made of one key. */
export interface Change {
  readonly key: string;
  readonly seen: Seen;
  readonly before: Seen;
}

/** A lease or a session: how long it lives, by what is told of time, and when in truth that time began anew. */
interface Living {
  readonly ttl: number;
  since: number;
  trulySince: number;
}

interface Session extends Living {
  readonly results: Map<number, { readonly payload: string; readonly told: Told }>;
  floor: number;
}

/** One that has ended because its time was up. */
export interface Ended {
  readonly what: string;
  readonly ttl: number;
  readonly trulySince: number;
}

export const ABSENT: Seen = { value: null, create: 0, mod: 0, version: 0 };
/** Milliseconds by which everything outlives its time. */
const SLACK = 250;
const MOST_RESULTS = 1_024;
const SESSION_TTL = 3_600;

/**
 * The store as the line protocol promises it, written a second time and as plainly as can be, with all of its past: what the
 * real one is held against.
 */
export class Model {
  #rev = 0;
  #time = 0;
  readonly #versions = new Map<string, { readonly rev: number; readonly seen: Seen }[]>();
  /** What each revision did; that of revision n is at n - 1. */
  readonly #revisions: (readonly Change[])[] = [];
  /** What the change under way has made of keys. */
  #draft = new Map<string, Seen>();
  readonly leases = new Map<number, Living>();
  readonly sessions = new Map<number, Session>();
  #lastLease = 0;
  #lastSession = 0;
  /** True time in milliseconds, when the leader took on the command that is being carried out. */
  #trueTime = 0;
  /** What the last command has ended. */
  ended: Ended[] = [];

  get rev(): number {
    return this.#rev;
  }

  get time(): number {
    return this.#time;
  }

  /** A key as of a revision. */
  at(key: string, rev = this.#rev): Seen {
    return this.#versions.get(key)?.findLast(version => version.rev <= rev)?.seen ?? ABSENT;
  }

  /** The keys with a prefix that exist at a revision, in order. */
  keys(prefix: string, rev = this.#rev): string[] {
    const names = [...this.#versions.keys()].filter(key => key.startsWith(prefix));
    return names.filter(key => this.at(key, rev).value !== null).sort();
  }

  /** What a revision did, in the order of the keys. */
  changesOf(rev: number): readonly Change[] {
    return this.#revisions[rev - 1] ?? [];
  }

  /** Carries out the next command, which its leader took on at `trueTime`. */
  change(command: Command, trueTime: number): Effect {
    this.ended = [];
    this.#trueTime = trueTime;
    if (command.at !== undefined) this.#time = Math.max(this.#time, command.at);
    if (command.op === 'time') {
      this.#endWhatIsDue();
      return this.#effect({ fields: {} });
    }
    const { session, seq } = command;
    return session === undefined || seq === undefined
      ? this.#effect(this.#carryOut(command))
      : this.#once(command, session, seq);
  }

  #effect(told: Told, isRepeated = false): Effect {
    return { told, rev: this.#rev, isRepeated };
  }

  #once(command: Command, id: number, seq: number): Effect {
    const session = this.sessions.get(id);
    if (session === undefined) return this.#effect({ code: 'SESSION_EXPIRED', fields: {} });
    this.#begin(session);
    const { at: _at, session: _session, seq: _seq, ...rest } = command;
    const payload = JSON.stringify(rest);
    const known = session.results.get(seq);
    if (known !== undefined) {
      if (known.payload === payload) return this.#effect(known.told, true);
      return this.#effect({ code: 'BAD_REQUEST', fields: {} }, true);
    }
    if (seq <= session.floor) return this.#effect({ code: 'SESSION_EXPIRED', fields: {} }, true);
    const told = this.#carryOut(command);
    session.results.set(seq, { payload, told });
    if (session.results.size > MOST_RESULTS) {
      session.floor = Math.min(...session.results.keys());
      session.results.delete(session.floor);
    }
    return this.#effect(told);
  }

  /** The time of a lease or a session begins anew. */
  #begin(living: Living): void {
    living.since = this.#time;
    living.trulySince = this.#trueTime;
  }

  #carryOut(command: Command): Told {
    switch (command.op) {
      case 'set':
      case 'remove':
        return this.#whole(this.#step(command));
      case 'txn':
        return this.#transact(command);
      default:
        return this.#ofTime(command);
    }
  }

  /** All of a change or nothing, with the revision that it ends in. */
  #whole(told: Told): Told {
    if (told.code !== undefined) this.#draft.clear();
    else if (this.#draft.size > 0) this.#commit();
    return told.code === undefined ? { fields: { ...told.fields, rev: this.#rev } } : told;
  }

  #commit(): void {
    const rev = this.#rev + 1;
    const changes = [...this.#draft].map(([key, seen]) => ({ key, seen, before: this.at(key) }));
    this.#draft = new Map();
    this.#rev = rev;
    for (const { key, seen } of changes) {
      const versions = this.#versions.get(key) ?? [];
      versions.push({ rev, seen });
      this.#versions.set(key, versions);
    }
    this.#revisions.push(changes.sort((a, b) => (a.key < b.key ? -1 : 1)));
  }

  #now(key: string): Seen {
    return this.#draft.get(key) ?? this.at(key);
  }

  #transact(command: Command): Told {
    const succeeded = this.#conflict(command.if, undefined) === undefined;
    const results: object[] = [];
    for (const [index, step] of (succeeded ? command.then : command.else)?.entries() ?? []) {
      const { code, fields } = this.#step(step);
      if (code !== undefined) return this.#whole({ code, fields: { ...fields, index } });
      results.push(fields);
    }
    return this.#whole({ fields: { succeeded, results } });
  }

  #step(step: KeyStep): Told {
    const { op, key = '', prefix, value = '', lease, prev } = step;
    const conflict = this.#conflict(step.if, key);
    if (conflict !== undefined) return { code: 'CONFLICT', fields: conflict };
    const before = this.#now(key);
    if (op === 'get') return { fields: { key, ...before } };
    if (op === 'remove') {
      const keys = prefix === undefined ? [key] : this.#present(prefix);
      const doomed = keys.filter(name => this.#now(name).value !== null);
      for (const name of doomed) this.#draft.set(name, ABSENT);
      return { fields: { removed: doomed.length } };
    }
    if (lease !== undefined && !this.leases.has(lease)) return { code: 'LEASE_NOT_FOUND', fields: {} };
    const mod = this.#rev + 1;
    const create = before.value === null ? mod : before.create;
    const revisions = { value, create, mod, version: before.version + 1 };
    this.#draft.set(key, lease === undefined ? revisions : { ...revisions, lease });
    if (!prev) return { fields: { mod } };
    return { fields: { mod, prev: before.value === null ? null : before } };
  }

  /** The keys with a prefix that exist in the change under way. */
  #present(prefix: string): string[] {
    const names = new Set([...this.#draft.keys(), ...this.keys(prefix)]);
    return [...names].filter(key => key.startsWith(prefix) && this.#now(key).value !== null);
  }

  /** What a CONFLICT has to tell of the first condition that does not hold. */
  #conflict(
    conditions: readonly Condition[] | undefined,
    own: string | undefined,
  ): { readonly key: string; readonly mod: number } | undefined {
    for (const condition of conditions ?? []) {
      const key = condition.key ?? own ?? '';
      const subject = this.#now(key);
      const isMet =
        (condition.mod === undefined || condition.mod === subject.mod) &&
        (condition.create === undefined || condition.create === subject.create) &&
        (condition.version === undefined || condition.version === subject.version) &&
        (condition.value === undefined || condition.value === subject.value) &&
        (condition.absent === undefined || subject.value === null) &&
        (condition.exists === undefined || subject.value !== null);
      if (!isMet) return { key, mod: subject.mod };
    }
    return undefined;
  }

  #ofTime({ op, ttl = SESSION_TTL, lease = 0 }: Command): Told {
    const rev = this.#rev;
    const living = { ttl, since: this.#time, trulySince: this.#trueTime };
    if (op === 'session') {
      this.#lastSession += 1;
      this.sessions.set(this.#lastSession, { ...living, results: new Map(), floor: 0 });
      return { fields: { rev, session: this.#lastSession, ttl } };
    }
    if (op === 'grant') {
      this.#lastLease += 1;
      this.leases.set(this.#lastLease, living);
      return { fields: { rev, lease: this.#lastLease, ttl } };
    }
    const known = this.leases.get(lease);
    if (known === undefined) return { code: 'LEASE_NOT_FOUND', fields: {} };
    if (op === 'renew') this.#begin(known);
    else if (op === 'revoke') this.#endLease(lease);
    else throw new Error(`the model knows no ${op}`);
    return { fields: { rev: this.#rev, lease, ttl: known.ttl } };
  }

  #endLease(id: number): void {
    for (const key of this.keys('')) if (this.at(key).lease === id) this.#draft.set(key, ABSENT);
    if (this.#draft.size > 0) this.#commit();
    this.leases.delete(id);
  }

  /** All whose time is up end, one after the other in the order in which it was, each with its keys. */
  #endWhatIsDue(): void {
    const isDue = ({ since, ttl }: Living) => since + ttl * 1_000 + SLACK <= this.#time;
    const due = [...this.leases].filter(([, lease]) => isDue(lease));
    const deadline = ({ since, ttl }: Living) => since + ttl * 1_000;
    for (const [id, lease] of due.sort(([a, one], [b, two]) => deadline(one) - deadline(two) || a - b)) {
      this.ended.push({ what: `lease ${id}`, ...lease });
      this.#endLease(id);
    }
    for (const [id, session] of this.sessions) {
      if (!isDue(session)) continue;
      const { ttl, trulySince } = session;
      this.ended.push({ what: `session ${id}`, ttl, trulySince });
      this.sessions.delete(id);
    }
  }
}
