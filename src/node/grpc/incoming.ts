import { type Failure, failure, RaftlineError } from '../../wire/errors.ts';
import { LIMITS } from '../../wire/limits.ts';
import { checkBytes } from '../../wire/message-check.ts';
import { type Fields, fromMessage, type Message } from '../../wire/messages.ts';
import type { Method } from '../../wire/schema.ts';

/** A request as its bytes came to: the fields of the line that it stands for, or what is wrong with it. */
export type Incoming =
  | { readonly size: number; readonly fields: Fields }
  | { readonly size: number; readonly failure: Failure };

/** Reads the bytes of a request. Never throws, whatever they are. */
export function readRequest({ op, fixed, request, definition }: Method, bytes: Buffer): Incoming {
  const size = bytes.length;
  if (size > LIMITS.line) {
    const words = `the request is longer than ${LIMITS.line} bytes; split it up`;
    return { size, failure: failure('LINE_TOO_LONG', words, { limit: LIMITS.line }) };
  }
  try {
    checkBytes(request, bytes);
    const fields = fromMessage(request, definition.requestDeserialize(bytes) as Message);
    return { size, fields: { op, ...fields, ...fixed } };
  } catch (error) {
    if (error instanceof RaftlineError) return { size, failure: error.failure };
    return { size, failure: failure('BAD_REQUEST', `the bytes are no ${request.name}`) };
  }
}
