import { expect } from 'chai';
import type { LineClient, Reply } from '../line-client.ts';

/** Where a stage's replies differ from the contract's, on purpose. */
export interface Exceptions {
  /** Fields that replies to `get` and `list` carry beyond the contract's. */
  readonly reads?: Readonly<Record<string, unknown>>;
  /** False where the stage cannot confirm a read, and refuses `"read":"linearizable"`. */
  readonly linearizable?: false;
}

/** The node under test, as the parts of the conformance suite see it. */
export interface Subject {
  readonly exceptions: Exceptions;
  readonly address: () => string;
  /** A connection that is closed when the test is over. */
  readonly connect: (options?: { readonly halfOpen?: boolean }) => Promise<LineClient>;
  /** The beginning of keys that no other test uses, ending in `/`. */
  readonly room: () => string;
}

/** Expects a refusal of this code, with the promises that the code makes, and returns its error. */
export function expectRefusal(reply: Reply, code: string): NonNullable<Reply['error']> {
  expect(reply.ok, JSON.stringify(reply).slice(0, 300)).to.equal(false);
  if (reply.error === undefined) throw new Error(`no error in ${JSON.stringify(reply)}`);
  expect(reply.error.code, reply.error.message).to.equal(code);
  expect(reply.error.message).to.be.a('string').that.is.not.empty;
  expect(reply.error.definite).to.equal(true);
  expect(reply.error.retry).to.equal(false);
  return reply.error;
}

/** Sets keys one after the other, and returns the revision of the last. */
export async function setAll(client: LineClient, keys: readonly string[], value = 'v'): Promise<number> {
  let rev = 0;
  for (const key of keys) {
    const reply = await client.ask({ op: 'set', key, value });
    expect(reply.ok, JSON.stringify(reply)).to.equal(true);
    rev = reply.mod;
  }
  return rev;
}

/** A transaction of these operations. */
export function txn(ops: unknown, more: object = {}): object {
  // biome-ignore lint/suspicious/noThenProperty: a field of the protocol
  return { op: 'txn', then: ops, ...more };
}
