import { Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Failure } from '../../wire/errors.ts';
import { statusOf } from '../../wire/grpc-status.ts';

/** A failure as a call ends with it: a standard status, and all that we know in the trailing metadata. */
export function serviceErrorOf(failed: Failure): ServiceError {
  const { code, details, trailers } = statusOf(failed);
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, value);
  return Object.assign(new Error(details), { code, details, metadata });
}
