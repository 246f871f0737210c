import type { LineClient } from '../line-client.ts';
import type { ForkedNode } from '../nodes.ts';

/** The node that is thrown at. */
export interface Target {
  readonly node: () => ForkedNode;
  /** A connection that is closed when the test is over. */
  readonly connect: (options?: { readonly halfOpen?: boolean }) => Promise<LineClient>;
}

/** Milliseconds after which the node closes a connection that stands still in mid-line. */
export const IDLE_MID_LINE = 1_000;

export const MEBIBYTE = 1_048_576;

/** Codes that a request may be refused with for what it is. */
export const REFUSALS = ['BAD_JSON', 'BAD_REQUEST', 'UNKNOWN_OP', 'TOO_LARGE', 'WRONG_STAGE', 'CONFLICT'];

/** Waits until a condition holds, looking every few milliseconds; fails when it never does. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  deadline = 10_000,
): Promise<void> {
  const end = performance.now() + deadline;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${deadline} ms`);
    await pause(20);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}
