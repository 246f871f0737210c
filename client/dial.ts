import type { Address } from '../src/wire/address.ts';
import { refuse } from '../src/wire/errors.ts';
import { GrpcLink } from './grpc-link.ts';
import { LineLink } from './line-link.ts';
import type { Dial } from './link.ts';
import { parseAddresses } from './roster.ts';

const GRPC = /^\s*grpc:\/\//i;

/** Nodes, and how they want to be spoken to. */
export interface Targets {
  readonly addresses: readonly Address[];
  readonly isGrpc: boolean;
  readonly dial: Dial;
}

/** Reads addresses: those that begin with `grpc://` are spoken to in gRPC, all others in lines. */
export function parseTargets(given: string | readonly string[]): Targets {
  const texts = (typeof given === 'string' ? [given] : given)
    .flatMap(text => text.split(','))
    .filter(text => text.trim() !== '');
  const grpc = texts.filter(text => GRPC.test(text));
  if (grpc.length === 0) {
    const addresses = parseAddresses(texts);
    return { addresses, isGrpc: false, dial: (address, owner) => new LineLink(address, owner) };
  }
  if (grpc.length < texts.length) {
    refuse('BAD_REQUEST', 'either all addresses begin with grpc://, or none: a client speaks one of the two');
  }
  const addresses = parseAddresses(grpc.map(text => text.replace(GRPC, '')));
  return { addresses, isGrpc: true, dial: (address, owner) => new GrpcLink(address, owner) };
}
