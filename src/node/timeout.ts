import { failure, lateWords } from '../wire/errors.ts';
import { mayChange, type Request } from '../wire/ops.ts';
import { failed, type Outcome } from '../wire/reply.ts';

/** Milliseconds that a request may take when it does not say. */
export const TIMEOUT = 5_000;

/** A request's time is up; once it has begun, a change may still happen. */
export function timedOut({ op, timeout = TIMEOUT }: Request, hasBegun: boolean): Outcome {
  const isOpen = mayChange(op) && hasBegun;
  return failed(failure('TIMEOUT', lateWords(op, timeout, isOpen), { definite: !isOpen, timeout }));
}
