import type { Random } from '../shared/random.ts';
import type { Action, Condition } from '../shared/register.ts';
import { Caller, type Client, looping, pause } from './caller.ts';
import { type History, isKnown, resultOf } from './history.ts';
import type { Keys } from './keys.ts';
import type { Service } from './service.ts';
import type { Verdicts } from './verdicts.ts';

/** What all clients of a run have in common. */
export interface ClientOptions {
  readonly name: string;
  readonly addresses: () => readonly string[];
  readonly dice: Random;
  readonly keys: Keys;
  readonly history: History;
  readonly service: Service;
  readonly verdicts: Verdicts;
}

/** Milliseconds that the node has for a request. */
const TIMEOUTS = [500, 1_000, 2_000, 3_000];
/** Changes that a client of insertions has under way. */
const DEPTH = 4;
/** Milliseconds between two operations of a client, at most. */
const BREATH = 12;
/** Where insertions go. */
export const INSERTED = '/inserted/';

/** Reads and changes keys that others read and change at the same time, one operation after the other. */
export function contender(options: ClientOptions): Client {
  const { name, dice, keys, history, service } = options;
  const caller = new Caller(options.addresses, dice);
  /** The last revision of each key that this client was shown, for its conditions. */
  const mods = new Map<string, number>();
  let count = 0;
  const step = async () => {
    await pause(dice.below(BREATH));
    const place = keys.take(dice);
    if (place === undefined) return;
    const { key, done } = place;
    count += 1;
    const action = actionBy(dice, `${name}.${count}`, mods.get(key) ?? 0);
    const invoked = history.now();
    const answer = await caller.ask({ ...action, key, timeout: dice.pick(TIMEOUTS) });
    const result = resultOf(action, answer);
    history.operations.push({ key, client: name, action, invoked, returned: history.now(), result });
    history.count(action.op, answer);
    if (action.op === 'get') history.see('read', invoked, answer, `${name} gets ${key}`);
    if (action.op === 'set') history.see('change', invoked, answer, `${name} sets ${key}`);
    if (action.op !== 'get' && result.kind === 'ok') service.served();
    if ('mod' in result && result.mod !== undefined) mods.set(key, result.mod);
    done(action.op === 'get' || isKnown(answer));
  };
  return looping(step, 1, () => caller.close());
}

function actionBy(dice: Random, value: string, mod: number): Action {
  const kind = dice.next();
  if (kind < 0.4) return { op: 'get' };
  const condition: { if?: Condition } = dice.chance(0.35)
    ? { if: dice.chance(0.8) ? { mod } : { absent: true } }
    : {};
  if (kind > 0.92) return { op: 'remove', ...condition };
  return { op: 'set', value, ...condition };
}

/** Writes keys that nobody else writes, several at a time, and remembers which it was told are there. */
export function inserter(options: ClientOptions): Client {
  const { name, dice, history, service } = options;
  const caller = new Caller(options.addresses, dice);
  let count = 0;
  const step = async () => {
    await pause(dice.below(BREATH));
    count += 1;
    const key = `${INSERTED}${name}/${String(count).padStart(7, '0')}`;
    const padding = dice.chance(0.02) ? dice.below(20_000) : dice.below(100);
    const value = `${name}.${count} ${'x'.repeat(padding)}`;
    const invoked = history.now();
    const answer = await caller.ask({ op: 'set', key, value, timeout: dice.pick(TIMEOUTS) });
    const isDone = typeof answer !== 'string' && answer.ok;
    const outcome = isDone ? 'done' : isKnown(answer) ? 'failed' : 'unknown';
    const mod = isDone ? Number(answer.mod) : 0;
    history.insertions.push({ key, value, outcome, mod, invoked, returned: history.now() });
    history.count('insert', answer);
    history.see('change', invoked, answer, `${name} inserts ${key}`);
    if (isDone) service.served();
  };
  return looping(step, DEPTH, () => caller.close());
}
