import { expect } from 'chai';
import {
  CONVERSE,
  decodeParcel,
  encodeParcel,
  type PeerMessages,
} from '../../src/node/grpc/peer-messages.ts';
import { type NodeMessage, raftCodec, SHAPES } from '../../src/node/raft-codec.ts';
import { encodeRecord } from '../../src/node/record.ts';
import { OPS, type Op } from '../../src/wire/ops.ts';
import { shapeOf } from '../../src/wire/schema.ts';

/** Operations that may change something, and that the node asked carries out itself. */
const OWN = ['init', 'snapshot'];
/** What is between nodes beside the messages of the core: the greeting, what is forwarded, and stage 2's own. */
const OTHERS = ['greeting', 'welcome', 'forward', 'forwarded', 'replicate', 'replicated'];

/** The message as the other end of a stream gets it. */
function sent(message: NodeMessage): NodeMessage {
  const bytes = CONVERSE.requestSerialize({ messages: [encodeParcel(raftCodec.encode(message))] });
  const { messages } = CONVERSE.requestDeserialize(bytes) as PeerMessages;
  const { header, lines } = decodeParcel(messages[0] ?? {});
  return raftCodec.decode(header, lines);
}

describe('the messages between nodes', () => {
  it('all have their type in the schema, and the schema has no others', () => {
    const { variants } = shapeOf('PeerMessage');
    expect([...variants.keys()].sort()).to.deep.equal([...Object.keys(SHAPES), ...OTHERS].sort());
  });

  for (const [type, { numbers, flags = [], texts = [] }] of Object.entries(SHAPES)) {
    it(`have the same fields in ${type}`, () => {
      const shape = shapeOf('PeerMessage').variants.get(type)?.shape;
      const fields = shape?.fields.map(field => field.key).filter(field => field !== 'lines');
      expect(fields?.sort()).to.deep.equal([...numbers, ...flags, ...texts].sort());
    });

    it(`arrive as they were sent: ${type}, whatever its numbers are`, () => {
      for (const number of [0, 1, Number.MAX_SAFE_INTEGER - 1]) {
        const content = [
          ...numbers.map(name => [name, number]),
          ...flags.map(name => [name, number === 1]),
          ...texts.map(name => [name, 'é']),
        ];
        const lists = { append: { entries: [] }, install: { piece: ['ü', ''] } };
        const message = { type, ...Object.fromEntries(content), ...lists[type as keyof typeof lists] };
        expect(sent(message as NodeMessage)).to.deep.equal(message);
      }
    });
  }

  it('carry entries as the very records of the log', () => {
    const line = encodeRecord([8, 3, { op: 'set', key: '/ü\n', value: '\u2028' }]);
    const entry = { index: 8, term: 3, command: null, size: line.length, line };
    const message: NodeMessage = {
      type: 'append',
      term: 3,
      prevIndex: 7,
      prevTerm: 2,
      entries: [entry],
      commit: 7,
    };
    const arrived = sent(message);
    expect(arrived).to.have.nested.property('entries[0].line', line);
    expect(arrived).to.have.deep.nested.property('entries[0].command', {
      op: 'set',
      key: '/ü\n',
      value: '\u2028',
    });
  });

  it('carry a request of every operation that a leader answers for another node', () => {
    const ops = Object.entries(OPS) as [string, Op][];
    const changes = ops.filter(([, { kind }]) => kind === 'change' || kind === 'cluster');
    const forwarded = changes.filter(([op]) => !OWN.includes(op));
    expect([...shapeOf('AnyRequest').variants.keys()]).to.include.members(forwarded.map(([op]) => op));
  });

  it('carry a forwarded request and its answer, whichever it is', () => {
    // biome-ignore lint/suspicious/noThenProperty: a field of the protocol
    const request = { op: 'txn', if: [{ key: '/a', mod: 3 }], then: [{ op: 'set', key: '/a', value: '' }] };
    const forward = { type: 'forward', number: 1, patience: 12.5, request } as unknown as NodeMessage;
    expect(sent(forward)).to.deep.equal(forward);
    const results = [
      { mod: 4, prev: null },
      { removed: 0 },
      { key: '/a', value: null, create: 0, mod: 0, version: 0 },
      { keys: [], next: null },
      { entries: [], next: '/b' },
    ];
    const outcome = { ok: true, rev: 4, succeeded: true, results };
    const answer = { type: 'forwarded', number: 1, op: 'txn', outcome } as unknown as NodeMessage;
    expect(sent(answer)).to.deep.equal(answer);
  });

  it('carry a forwarded error with all its details', () => {
    const error = {
      code: 'CONFLICT',
      message: '/ü is at 0',
      definite: true,
      retry: false,
      key: '/ü',
      mod: 0,
      leader: null,
    };
    const refused = { type: 'forwarded', number: 2, outcome: { ok: false, error } } as unknown as NodeMessage;
    expect(sent(refused)).to.deep.equal(refused);
  });
});
