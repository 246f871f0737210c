import { type Client, ClientError, connect } from '../client.ts';
import { parseTargets, type Targets } from '../dial.ts';
import { CLIENT_FLAGS, DEFAULT_ADDRESS } from './client-flags.ts';
import { endWithOutput, print } from './print.ts';
import { UsageError } from './usage-error.ts';
import type { Call, Verb } from './verb.ts';

/** Seconds that the cluster remembers the changes of a verb that has a session, once it has ended. */
const SESSION = 60;

/** What a verb works with, alone or at the prompt. */
export interface Session {
  readonly client: Client;
  /** Raised when the person no longer wants the answer. */
  readonly signal: AbortSignal | undefined;
  /** True at the prompt, where standard input holds the next commands. */
  readonly isPrompt: boolean;
}

/** A verb that asks a node; at the prompt, all share one client. */
export interface ClientVerb extends Verb {
  /**
   * Its changes are numbered, so that it outlasts a lost answer by itself. A verb that makes one change and ends does
   * without: it would cost as much again, and whoever waits for it can see for themselves what became of it.
   */
  readonly hasSession?: true;
  perform(call: Call, session: Session): Promise<number>;
}

export function clientVerb(verb: Omit<ClientVerb, 'run'>): ClientVerb {
  return {
    ...verb,
    // Its own flags come first, and what it says of a common one stands.
    flags: { ...verb.flags, ...CLIENT_FLAGS, ...verb.flags },
    async run(call) {
      endWithOutput();
      const client = clientFor(call, verb.hasSession);
      try {
        return await verb.perform(call, { client, signal: undefined, isPrompt: false });
      } finally {
        await client.close();
      }
    },
  };
}

/** The nodes that a command line names, or those that are asked when it names none. */
export function targetsOf(call: Call): Targets {
  return whereFrom(call, parseTargets);
}

/** The client that a command line asks for. Someone waits for it, so it does not wait for nodes to come back. */
export function clientFor(call: Call, hasSession = false): Client {
  const { timeout } = call.flags;
  const own = typeof timeout === 'number' ? { timeout } : {};
  const session = hasSession && { ttl: SESSION };
  return whereFrom(call, addresses => connect(addresses, { failFast: true, session, ...own }));
}

/** Makes something of the addresses, and says where they come from when that cannot be done. */
function whereFrom<T>({ flags: { address } }: Call, make: (addresses: string) => T): T {
  const named = process.env.RAFTLINE_ADDRESS || undefined;
  try {
    return make(String(address ?? named ?? DEFAULT_ADDRESS));
  } catch (error) {
    const source = address === undefined ? 'RAFTLINE_ADDRESS' : '--address';
    throw new UsageError(`${source}: ${error instanceof Error ? error.message : error}`);
  }
}

/** Sends a request and gives its reply; with `--json` the reply's line, good or bad, is printed first. `patience` is in milliseconds. */
export async function ask<Reply>(
  op: string,
  fields: Readonly<Record<string, unknown>>,
  call: Call,
  { client, signal }: Session,
  patience?: number,
): Promise<Reply> {
  const options = { ...(signal && { signal }), ...(patience !== undefined && { timeout: patience }) };
  try {
    const line = await client.requestLine(op, fields, options);
    if (call.flags.json) await print(line);
    return JSON.parse(line) as Reply;
  } catch (error) {
    if (call.flags.json && error instanceof ClientError && error.line !== undefined) await print(error.line);
    throw error;
  }
}
