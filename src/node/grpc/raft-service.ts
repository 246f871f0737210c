import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Parcel } from '../../ports/transport.ts';
import { failure } from '../../wire/errors.ts';
import type { Message } from '../../wire/messages.ts';
import type { Outcome } from '../../wire/reply.ts';
import type { Guest } from '../guest.ts';
import { logger } from '../logger.ts';
import type { PeerConnection, PeerSession } from '../peers.ts';
import type { PeerGate } from '../server.ts';
import { Outbox } from './outbox.ts';
import { decodeParcel, isAnswer, type PeerMessages } from './peer-messages.ts';
import { serviceErrorOf } from './service-error.ts';

const log = logger('grpc');

type Stream = ServerDuplexStream<PeerMessages, PeerMessages>;

/** A call of another node: its greeting, then its messages. What answers them goes back down. */
export class RaftCall implements PeerConnection {
  readonly #stream: Stream;
  readonly #gate: PeerGate;
  readonly #guest: Guest | undefined;
  readonly #outbox: Outbox;
  #session: PeerSession | undefined;
  #isOver = false;

  constructor(stream: Stream, gate: PeerGate, guest: Guest | undefined) {
    this.#stream = stream;
    this.#gate = gate;
    this.#guest = guest;
    this.#outbox = new Outbox(stream);
    stream.on('data', (messages: PeerMessages) => this.#take(messages));
    stream.on('error', () => {});
    stream.once('cancelled', () => this.#over());
    stream.once('end', () => {
      this.#over();
      stream.end();
    });
  }

  answer(parcel: Parcel): boolean {
    return !this.#isOver && isAnswer(parcel) && this.#outbox.send(parcel);
  }

  destroy(): void {
    this.#refuse({ ok: false, error: failure('CLUSTER_MISMATCH', 'this call is over; call again') });
  }

  #take({ messages = [] }: PeerMessages): void {
    for (const message of messages) {
      if (this.#isOver) return;
      if (this.#session === undefined) this.#greet(message);
      else this.#receive(this.#session, message);
    }
  }

  #receive(session: PeerSession, message: Message): void {
    let parcel: Parcel;
    try {
      parcel = decodeParcel(message);
    } catch (error) {
      log('a node sent what is no message (%s): its call ends', error);
      this.destroy();
      return;
    }
    session.receive(parcel);
  }

  #greet({ greeting }: Message): void {
    const hello = { ...(greeting as object | undefined), op: 'peer' };
    const { outcome, session } = this.#gate.accept(hello, this);
    if (session === undefined || !outcome.ok) {
      this.#refuse(outcome);
      return;
    }
    const { node, cluster, protocol } = outcome;
    this.#session = session;
    if (this.#guest !== undefined) this.#guest.isPeer = true;
    // Before anything that this node answers, and whatever waits.
    this.#stream.write({ messages: [{ welcome: { node, cluster, protocol } }] });
    this.#outbox.open();
  }

  #refuse(outcome: Outcome): void {
    if (this.#isOver) return;
    this.#over();
    if (!outcome.ok) this.#stream.emit('error', serviceErrorOf(outcome.error));
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#session?.closed();
  }
}
