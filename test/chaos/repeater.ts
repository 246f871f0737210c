import { Caller, type Client, looping, pause } from './caller.ts';
import { type ClientOptions, INSERTED } from './clients.ts';
import { isKnown } from './history.ts';
import type { Answer, Line } from './wire.ts';

/** Milliseconds that a change is repeated for. */
const PATIENCE = 60_000;
/** Milliseconds between two changes, and two tries of one, at most. */
const BREATH = 30;
const TIMEOUT = 1_000;
/** Changes of a session that are asked for again, long after they were answered. */
const REMEMBERED = 200;

/**
 * Makes changes that are repeated until somebody answers, and now and then once more although they were answered:
 * by their session each happens once, and each answer is the first one. What was inserted is judged like everything
 * that was: a key of version 2 was inserted twice.
 */
export function repeater(options: ClientOptions): Client {
  const { name, dice, history, service, verdicts } = options;
  const caller = new Caller(options.addresses, dice);
  /** What was sent, and what came back. */
  const done: { line: Line; mod: number }[] = [];
  let session: number | undefined;
  let seq = 0;
  let isEnding = false;

  /** Sends a line until it is answered, or has had no effect for certain in all of its tries. */
  const insist = async (line: Line): Promise<Answer> => {
    let mayHaveHappened = false;
    for (const end = performance.now() + PATIENCE; ; ) {
      const answer = await caller.ask(line);
      history.count(line.op === 'session' ? 'session' : 'once', answer);
      if (typeof answer !== 'string' && (answer.ok || answer.error?.retry !== true)) return answer;
      mayHaveHappened ||= !isKnown(answer);
      if (performance.now() > end || (isEnding && !mayHaveHappened))
        return mayHaveHappened ? 'unknown' : 'unsent';
      await pause(dice.below(BREATH));
    }
  };

  const begin = async () => {
    const answer = await insist({ op: 'session', timeout: TIMEOUT });
    if (typeof answer !== 'string' && answer.ok) session = Number(answer.session);
  };

  const insert = async () => {
    seq += 1;
    const key = `${INSERTED}${name}/${String(seq).padStart(7, '0')}`;
    const value = `${name}.${seq}`;
    const condition = dice.chance(0.5) ? { if: { absent: true } } : {};
    const line = { op: 'set', key, value, ...condition, session, seq, timeout: TIMEOUT };
    const invoked = history.now();
    const answer = await insist(line);
    const isDone = typeof answer !== 'string' && answer.ok;
    // A conflict would be the second doing of a change that was done already.
    const isRight = isDone || typeof answer === 'string';
    verdicts.check(
      'a repeated change happens once',
      isRight,
      `${JSON.stringify(line)}: ${JSON.stringify(answer)}`,
    );
    const mod = isDone ? Number(answer.mod) : 0;
    const outcome = isDone ? 'done' : answer === 'unsent' ? 'failed' : 'unknown';
    history.insertions.push({ key, value, outcome, mod, invoked, returned: history.now() });
    history.see('change', invoked, answer, `${name} inserts ${key}`);
    if (!isDone) return;
    service.served();
    done.push({ line, mod });
    if (done.length > REMEMBERED) done.shift();
  };

  const repeat = async () => {
    const { line, mod } = dice.pick(done);
    const answer = await insist(line);
    if (typeof answer === 'string') return;
    const words = `${JSON.stringify(line)}: ${mod} at first, then ${JSON.stringify(answer)}`;
    verdicts.check('a repeated change gets its first answer', answer.ok && answer.mod === mod, words);
  };

  const step = async () => {
    await pause(dice.below(BREATH));
    if (session === undefined) await begin();
    else if (done.length > 0 && dice.chance(0.2)) await repeat();
    else await insert();
  };
  const client = looping(step, 1, () => caller.close());
  return {
    stop: () => {
      isEnding = true;
      return client.stop();
    },
  };
}
