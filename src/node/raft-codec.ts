import type { Codec } from '../ports/transport.ts';
import type { Entry } from '../raft/entry.ts';
import type { Append, Install, Message } from '../raft/messages.ts';
import { type ForwardMessage, isForwardMessage } from './forwarding.ts';
import { parseEntry, recordsOf } from './record.ts';

/** What nodes say to each other from stage 4 on. */
export type NodeMessage = Message | ForwardMessage;

/** The numbers and flags that each message must bring, whoever sends it. */
export const SHAPES: {
  readonly [Type in Message['type']]: {
    readonly numbers: string[];
    readonly flags?: string[];
    readonly texts?: string[];
  };
} = {
  append: { numbers: ['term', 'prevIndex', 'prevTerm', 'commit'] },
  appended: { numbers: ['term', 'match'] },
  'append-refused': { numbers: ['term', 'prevIndex', 'hint', 'hintTerm'] },
  heartbeat: { numbers: ['term', 'commit', 'round'] },
  'heartbeat-answer': { numbers: ['term', 'round'] },
  'read-index': { numbers: ['term', 'number'] },
  'read-index-answer': { numbers: ['term', 'number', 'index'] },
  'request-vote': { numbers: ['term', 'lastIndex', 'lastTerm'], flags: ['pre', 'transfer'] },
  vote: { numbers: ['term'], flags: ['pre', 'granted'] },
  'timeout-now': { numbers: ['term'] },
  install: { numbers: ['term', 'lastIndex', 'lastTerm', 'offset', 'bytes'], texts: ['hash'] },
  installed: { numbers: ['term', 'lastIndex', 'lastTerm', 'offset'] },
};

/**
 * The messages as parcels. Entries and pieces of snapshots go as the very records that the files hold: the leader
 * writes each once, and a follower checks its sum and appends it as it came.
 */
export const raftCodec: Codec<NodeMessage> = {
  encode(message) {
    if (message.type === 'install') {
      const { piece: lines, ...header } = message;
      return { header, lines };
    }
    if (message.type !== 'append') return { header: { ...message }, lines: [] };
    const { entries, ...header } = message;
    return { header, ...recordsOf(entries) };
  },

  decode(header, lines) {
    if (isForwardMessage(header)) return header;
    const { type } = header;
    if (typeof type !== 'string' || !Object.hasOwn(SHAPES, type)) throw new Error('there is no such message');
    const { numbers, flags = [], texts = [] } = SHAPES[type as Message['type']];
    for (const name of numbers) {
      const number = header[name];
      if (!Number.isSafeInteger(number) || (number as number) < 0) throw new Error(`${type} lacks ${name}`);
    }
    for (const name of flags) if (typeof header[name] !== 'boolean') throw new Error(`${type} lacks ${name}`);
    for (const name of texts) if (typeof header[name] !== 'string') throw new Error(`${type} lacks ${name}`);
    // Whatever else the header of another node has stays outside: the lines alone say what they bring.
    if (type === 'install') {
      const { term, lastIndex, lastTerm, offset, bytes, hash } = header as unknown as Install;
      return { type, term, lastIndex, lastTerm, offset, bytes, hash, piece: lines };
    }
    if (type !== 'append') return header as unknown as NodeMessage;
    const { term, prevIndex, prevTerm, commit } = header as unknown as Append;
    const entries = lines.map((line, at) => soundEntry(line, prevIndex + 1 + at));
    return { type, term, prevIndex, prevTerm, commit, entries };
  },
};

function soundEntry(line: string, index: number): Entry {
  const entry = parseEntry(line);
  if (entry?.index !== index) throw new Error('an entry is damaged or out of place');
  return entry;
}
