import type { Parcel } from '../../ports/transport.ts';
import type { Failure } from '../../wire/errors.ts';
import { type Fields, fromMessage, type Message, toMessage } from '../../wire/messages.ts';
import type { Outcome } from '../../wire/reply.ts';
import { RAFT_SERVICE, serviceOf, shapeOf } from '../../wire/schema.ts';

/** What is said between nodes, as one message of the stream. */
export interface PeerMessages {
  readonly messages: readonly Message[];
}

const converse = serviceOf(RAFT_SERVICE).Converse;
if (converse === undefined) throw new Error('the schema has no method for nodes');
/** The one method of the service between nodes. */
export const CONVERSE = converse;

const PEER_MESSAGE = shapeOf('PeerMessage');
const FAILURE = shapeOf('Failure');
const ANY_REPLY = shapeOf('AnyReply');

/** The messages that answer one: they go back on the stream on which that came. */
const ANSWERS: ReadonlySet<unknown> = new Set([
  'appended',
  'append-refused',
  'heartbeat-answer',
  'read-index-answer',
  'vote',
  'installed',
  'forwarded',
  'replicated',
]);

export function isAnswer({ header }: Parcel): boolean {
  return ANSWERS.has(header.type);
}

/** A parcel as a message of the schema. Throws where the schema has no place for something in it. */
export function encodeParcel({ header, lines }: Parcel): Message {
  if (header.type === 'forwarded') return { forwarded: encodeForwarded(header) };
  return toMessage(PEER_MESSAGE, lines.length === 0 ? header : { ...header, lines });
}

export function decodeParcel(message: Message): Parcel {
  const { lines, ...header } = fromMessage(PEER_MESSAGE, message);
  if (header.type === 'forwarded')
    return { header: decodeForwarded(message.forwarded as Message), lines: [] };
  return { header, lines: (lines as string[] | undefined) ?? [] };
}

/** An answer has a type for each operation; an error has one for all, whose details are as free as on lines. */
function encodeForwarded({ number, op, outcome }: Readonly<Fields>): Message {
  const answered = outcome as Outcome;
  if (answered.ok) {
    const { ok, ...reply } = answered;
    return { number, reply: toMessage(ANY_REPLY, { ...reply, op }) };
  }
  const { code, message, definite, retry, ...details } = answered.error;
  const error = { code, message, definite, retry, details: JSON.stringify(details) };
  return { number, error: toMessage(FAILURE, error) };
}

function decodeForwarded({ number = 0, reply, error }: Message): Fields {
  const type = 'forwarded';
  if (error !== undefined) {
    const { details, ...rest } = fromMessage(FAILURE, error as Message);
    const more = JSON.parse(String(details) || '{}') as object;
    return { type, number, outcome: { ok: false, error: { ...more, ...rest } as unknown as Failure } };
  }
  const { op, ...fields } = fromMessage(ANY_REPLY, (reply ?? {}) as Message);
  return { type, number, op, outcome: { ok: true, ...fields } };
}
