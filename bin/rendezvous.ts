import { isNodeId, NODE_ID_RULE } from '../src/wire/address.ts';
import { refuse } from '../src/wire/errors.ts';

/** A registry, and the token under which the nodes of one cluster find each other in it. */
export interface Rendezvous {
  readonly addresses: string;
  readonly token: string;
}

/** Reads `host:port/TOKEN`, with several addresses separated by commas. Throws BAD_REQUEST. */
export function parseRendezvous(text: string): Rendezvous {
  const at = text.lastIndexOf('/');
  const token = text.slice(at + 1);
  if (at < 1 || !isNodeId(token)) {
    refuse('BAD_REQUEST', `${JSON.stringify(text)} is not host:port/TOKEN, with a token of ${NODE_ID_RULE}`);
  }
  return { addresses: text.slice(0, at), token };
}
