import { failure } from '../wire/errors.ts';
import type { ChangeRequest, RequestOf } from '../wire/ops.ts';
import { failed, type Outcome } from '../wire/reply.ts';
import { fingerprintOf } from './fingerprint.ts';
import { leaseNotFound, stepOf } from './steps.ts';
import type { Store } from './store.ts';
import { transact } from './transaction.ts';

/** What is not compared when a change comes again: under what it comes, and when. */
const NOT_PAYLOAD: ReadonlySet<string> = new Set(['session', 'seq', 'at']);
/** Seconds that a session lives after its last use when nobody says. */
const SESSION_TTL = 3_600;
/**
 * Leases and sessions at a time: each takes memory on every node, whoever asked for it. No flag sets them, since the
 * answer is part of the state: nodes that counted differently would differ from then on.
 */
const MOST_LEASES = 1_000_000;
const MOST_SESSIONS = 100_000;
const SESSIONS_END =
  'each ends its ttl after its last use: try again later, open them with a shorter ttl, or send changes without one';

/** Tells the time, in milliseconds of cluster time, and ends what is due. */
export interface TimeCommand {
  readonly op: 'time';
  readonly at: number;
}

/** What the log holds for the state machine: changes, those that need it with the time at which their leader took them. */
export type Command = (ChangeRequest & { readonly at?: number }) | TimeCommand;

const COMMANDS: ReadonlySet<unknown> = new Set<Command['op']>([
  ...(['set', 'remove', 'txn', 'grant', 'renew', 'revoke', 'session', 'time'] as const),
]);

export function isCommand(command: unknown): command is Command {
  return typeof command === 'object' && command !== null && 'op' in command && COMMANDS.has(command.op);
}

/** Whether a change needs to be told the time by the leader that takes it: how long it lasts is counted from then. */
export function needsTime({ op, session }: ChangeRequest): boolean {
  return session !== undefined || op === 'grant' || op === 'renew' || op === 'session';
}

/**
 * Carries out one command. The outcome and the store afterwards are functions of the store before and the command
 * alone, so replicas that apply the same commands in the same order stay equal.
 */
export function apply(store: Store, command: Command): Outcome {
  if (command.at !== undefined) store.advance(command.at);
  if (command.op === 'time') return endWhatIsDue(store);
  const { session, seq } = command;
  if (session === undefined || seq === undefined) return change(store, command);
  return once(store, command, session, seq);
}

/**
 * A change under a session happens once (thesis §6.3): its outcome is remembered, and told again when it comes again.
 * What is too old to be remembered is refused, since it may have happened.
 */
function once(store: Store, command: ChangeRequest, id: number, seq: number): Outcome {
  const { sessions } = store;
  const session = sessions.get(id);
  if (session === undefined) {
    const words = `session ${id} has expired or never was, and this was not carried out; open another with op session`;
    return failed(failure('SESSION_EXPIRED', words));
  }
  const fingerprint = fingerprintOf(command, NOT_PAYLOAD);
  const known = session.resultOf(seq);
  if (known !== undefined) {
    sessions.use(session, store.time);
    const isSame = known.fingerprint.high === fingerprint.high && known.fingerprint.low === fingerprint.low;
    return isSame ? known.outcome : otherPayload(id, seq);
  }
  if (seq <= session.floor) {
    sessions.use(session, store.time);
    const words = `session ${id} no longer remembers what became of ${seq}, and this was not carried out (again)`;
    return failed(failure('SESSION_EXPIRED', `${words}; read before you repeat it under a new seq`));
  }
  const outcome = change(store, command);
  // What changed nothing and may succeed later is no result: it may come again, and is carried out then.
  if (!outcome.ok && outcome.error.retry) sessions.use(session, store.time);
  else sessions.remember(session, seq, { fingerprint, outcome }, store.time);
  return outcome;
}

function otherPayload(session: number, seq: number): Outcome {
  const words = `${seq} of session ${session} was another change; give each change a seq of its own`;
  return failed(failure('BAD_REQUEST', words, { field: 'seq' }));
}

function change(store: Store, command: ChangeRequest): Outcome {
  switch (command.op) {
    case 'set':
    case 'remove': {
      const outcome = stepOf(store, command);
      if (store.hasChanged) store.commit();
      return outcome;
    }
    case 'txn':
      return transact(store, command);
    case 'grant':
      return grant(store, command);
    case 'renew':
      return renew(store, command);
    case 'revoke':
      return revoke(store, command);
    case 'session':
      return openSession(store, command);
  }
}

function openSession(store: Store, { ttl = SESSION_TTL }: RequestOf<'session'>): Outcome {
  if (store.sessions.size >= MOST_SESSIONS) return tooMany('sessions', MOST_SESSIONS, SESSIONS_END);
  const { id } = store.sessions.open(ttl, store.time);
  return { ok: true, rev: store.rev, session: id, ttl };
}

function grant(store: Store, { ttl }: RequestOf<'grant'>): Outcome {
  if (store.leases.size >= MOST_LEASES)
    return tooMany('leases', MOST_LEASES, 'revoke some, or wait until some end');
  const { id } = store.leases.grant(ttl, store.time);
  return { ok: true, rev: store.rev, lease: id, ttl };
}

function renew(store: Store, { lease: id }: RequestOf<'renew'>): Outcome {
  const lease = store.leases.renew(id, store.time);
  if (lease === undefined) return failed(leaseNotFound(id));
  return { ok: true, rev: store.rev, lease: id, ttl: lease.ttl };
}

function revoke(store: Store, { lease: id }: RequestOf<'revoke'>): Outcome {
  const lease = store.leases.get(id);
  if (lease === undefined) return failed(leaseNotFound(id));
  const removed = endLease(store, id);
  return { ok: true, rev: store.rev, lease: id, ttl: lease.ttl, removed };
}

/** Ends a lease, and with it all its keys, in one revision; returns how many there were. */
function endLease(store: Store, id: number): number {
  const keys = store.leases.keysOf(id);
  for (const key of keys) store.delete(key);
  if (keys.length > 0) store.commit();
  store.leases.end(id);
  return keys.length;
}

/** Only an entry that tells the time ends anything, so that all that is due at it ends there, on every node. */
function endWhatIsDue(store: Store): Outcome {
  for (const id of store.leases.due(store.time)) endLease(store, id);
  store.sessions.end(store.time);
  return { ok: true, rev: store.rev };
}

function tooMany(what: string, most: number, advice: string): Outcome {
  return failed(failure('BUSY', `there are ${most} ${what} already; ${advice}`, { limit: most }));
}
