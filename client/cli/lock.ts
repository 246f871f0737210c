import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import type { Leadership, Lock } from '../recipes/lock.ts';
import { LONGEST_TIMER } from '../recipes/wire.ts';
import { clientVerb, type Session } from './client-verb.ts';
import { complain, print, quoted } from './print.ts';
import { raised, untilStopped } from './until-stopped.ts';
import { UsageError } from './usage-error.ts';
import type { Call, Flag } from './verb.ts';

export const TTL_FLAG: Flag = {
  type: 'integer',
  value: 'SECONDS',
  about: 'how long it lasts when this process can no longer be heard (10)',
  least: 1,
};

const TTL = 10;
/** Of a lost lock's `ttl`, what is left before another may have it: a tenth. The command has that long to end. */
const LEFT = 100;
/** The exit status when what was held is lost. */
const LOST = 3;
/** The exit status when nobody said who holds the lock. */
const NO_ANSWER = 3;
/** Why a command cannot be run, and what to do, by the code of the system. */
const UNRUNNABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such command; check its name, and PATH',
  EACCES: 'it is not executable by this user; check its mode',
};
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

export const lock = clientVerb({
  name: 'lock',
  hasSession: true,
  about: 'runs a command while holding a lock',
  usage: 'lock NAME [--wait SECONDS] -- COMMAND…',
  details: `Waits for the lock, first come, first served, runs COMMAND, releases the lock, and exits as COMMAND did. Signals go
on to COMMAND. It finds its fencing token in RAFTLINE_FENCE and the lock's key in RAFTLINE_LOCK_KEY: a change with
"if":{"key":RAFTLINE_LOCK_KEY,"create":RAFTLINE_FENCE} is refused once the lock is not held any more.

When the lock is lost, since no node could be reached in time, COMMAND gets SIGTERM, soon after SIGKILL, and the exit
status is 3. When --wait is over it is 1 while another holds the lock, and 3 when no node answered. It is 127 when there
is no such COMMAND.

  raftline lock report -- ./make-report
  raftline lock report --wait 0 -- ./make-report     only if nobody holds it`,
  flags: {
    ttl: TTL_FLAG,
    json: { type: 'boolean', about: 'changes nothing: only COMMAND prints' },
    wait: { type: 'integer', value: 'SECONDS', about: 'give up when it is not held by then; 0: ask once' },
  },
  words: [1, 1],
  takesCommand: true,
  async perform(call, session) {
    const [name = ''] = call.words;
    if (call.rest.length === 0)
      throw new UsageError('lock: what is to run? Put it behind --, as in lock a -- ls');
    if (session.isPrompt) {
      throw new UsageError('lock: a command would share the terminal with this prompt; run it from a shell');
    }
    return untilStopped(session, async stopped => {
      const held = await waitFor(name, call, session, stopped);
      if (typeof held === 'number') return held;
      try {
        // Whoever has had enough by now has no command yet that could be told.
        if (stopped.aborted) return bySignal(stopped.reason);
        return await run(call.rest, held, secondsOf(call.flags.ttl));
      } finally {
        await held.release();
      }
    });
  },
});

/** Waits for the lock; resolves with the exit status where that is given up. */
async function waitFor(
  name: string,
  call: Call,
  { client }: Session,
  stopped: AbortSignal,
): Promise<Lock | number> {
  const wait = typeof call.flags.wait === 'number' ? call.flags.wait : undefined;
  const over = new AbortController();
  const giveUp = () => over.abort();
  // With no time to wait, the first answer is the last, and the question has the time of any.
  const timer = wait ? setTimeout(giveUp, Math.min(wait * 1_000, LONGEST_TIMER)) : undefined;
  let isHeld = false;
  const onWait = () => {
    isHeld = true;
    if (wait === 0) giveUp();
  };
  try {
    const signal = AbortSignal.any([stopped, over.signal]);
    return await client.lock(name, { ttl: secondsOf(call.flags.ttl), signal, onWait });
  } catch (error) {
    if (stopped.aborted) return bySignal(stopped.reason);
    if (!over.signal.aborted) throw error;
    const words = isHeld
      ? 'it is held by another'
      : `no answer within ${wait} s; see how the nodes are (raftline status)`;
    complain(`lock ${quoted(name)} at ${client.address}: ${words}`);
    return isHeld ? 1 : NO_ANSWER;
  } finally {
    clearTimeout(timer);
  }
}

function secondsOf(ttl: unknown): number {
  return typeof ttl === 'number' ? ttl : TTL;
}

/** The exit status that shells have for an end by a signal. */
function bySignal(name: NodeJS.Signals): number {
  return 128 + constants.signals[name];
}

/** Runs the command, and resolves with its exit status, or with that of a loss. */
async function run([command = '', ...args]: readonly string[], held: Lock, ttl: number): Promise<number> {
  const own = { RAFTLINE_FENCE: String(held.fence), RAFTLINE_LOCK_KEY: held.key };
  const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...own } });
  const forward = (signal: NodeJS.Signals) => {
    // Ctrl-C in a terminal reaches the command as well as us.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  let killer: NodeJS.Timeout | undefined;
  const lost = () => {
    complain(`lock ${quoted(held.name)} is lost (${reasonOf(held.lost)}): ending ${quoted(command)}`);
    child.kill('SIGTERM');
    killer = setTimeout(() => child.kill('SIGKILL'), ttl * LEFT);
  };
  if (held.lost.aborted) lost();
  else held.lost.addEventListener('abort', lost, { once: true });
  try {
    const status = await statusOf(child, command);
    return held.lost.aborted ? LOST : status;
  } finally {
    clearTimeout(killer);
    held.lost.removeEventListener('abort', lost);
    for (const signal of FORWARDED) process.off(signal, forward);
  }
}

async function statusOf(child: ChildProcess, command: string): Promise<number> {
  try {
    const [status, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return status ?? bySignal(signal ?? 'SIGKILL');
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    complain(`lock: ${quoted(command)} cannot be run: ${UNRUNNABLE[code] ?? message}`);
    return code === 'ENOENT' ? 127 : 126;
  }
}

export const elect = clientVerb({
  name: 'elect',
  hasSession: true,
  about: 'stands for election, and leads until Ctrl-C',
  usage: 'elect NAME VALUE',
  details: `Waits until nobody before it leads, says so, and leads until Ctrl-C; others find VALUE under
/elections/NAME/. Exits with 3 when the leadership is lost, since no node could be reached in time.

  raftline elect scheduler "$(hostname)"`,
  flags: { ttl: TTL_FLAG, json: { type: 'boolean', about: 'say who leads as a JSON object' } },
  words: [2, 2],
  async perform(call, session) {
    const [name = '', value = ''] = call.words;
    return untilStopped(session, async stopped => {
      let leads: Leadership;
      try {
        leads = await session.client.elect(name, value, { ttl: secondsOf(call.flags.ttl), signal: stopped });
      } catch (error) {
        if (stopped.aborted) return 0;
        throw error;
      }
      const { key, fence, lost } = leads;
      if (call.flags.json) await print(JSON.stringify({ name, value, key, fence }));
      else await print(`${quoted(value)} leads ${quoted(name)}, fence ${fence}`);
      await raised(AbortSignal.any([stopped, lost]));
      await leads.resign();
      if (!lost.aborted) return 0;
      complain(`elect ${quoted(name)}: the leadership is lost (${reasonOf(lost)})`);
      return LOST;
    });
  },
});

function reasonOf({ reason }: AbortSignal): string {
  return reason instanceof Error ? reason.message : String(reason);
}
