import { imageOf } from '../kv/image.ts';
import type { Store } from '../kv/store.ts';
import type { Clock } from '../ports/clock.ts';
import type { SnapshotHead } from '../ports/storage.ts';
import { failure } from '../wire/errors.ts';
import { failed } from '../wire/reply.ts';
import { News } from './news.ts';
import type { Responder } from './server.ts';
import { SnapshotSource } from './snapshot-records.ts';

/** Characters of a chunk. */
const CHUNK = 65_536;
/** Milliseconds of making chunks in one turn, and until the next look at a client that does not take them. */
const SLICE = 4;
const PAUSE = 10;
/** Records between two looks at the clock. */
const LOOK = 32;

/**
 * Sends a state to whoever asked for a backup: the lines of a snapshot, as pushes, and then the answer. No more of it is
 * made than the client takes, and changes go on meanwhile: `state` is a copy that nobody changes.
 */
export function sendBackup(head: SnapshotHead, state: Store, responder: Responder, clock: Clock): void {
  const { client, deadline } = responder;
  if (client === undefined) {
    responder.answer(failed(failure('BAD_REQUEST', 'backup is for the node that a client talks to')));
    return;
  }
  const source = new SnapshotSource(head, imageOf(state));
  const slice = (): void => {
    const end = clock.now() + SLICE;
    // Whoever asked has gone, or been told by then that it took too long; nobody has to be told anything more.
    if (client.isGone || end > deadline) return;
    while (!client.isFull && clock.now() < end) {
      let records = 0;
      const chunk = source.take(characters => {
        records += 1;
        return characters >= CHUNK || (records % LOOK === 0 && clock.now() >= end);
      });
      client.push(new News({ chunk }));
      if (source.hash === undefined) continue;
      responder.answer({ ok: true, rev: state.rev, applied: head.index, hash: state.hash });
      return;
    }
    if (client.isFull) clock.after(PAUSE, slice);
    else clock.soon(slice);
  };
  slice();
}
