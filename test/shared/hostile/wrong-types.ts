import { expect } from 'chai';
import { COMMON_FIELDS, OPS, type Op } from '../../../src/wire/ops.ts';
import { REFUSALS, type Target } from './target.ts';

/** One value of every kind that JSON can write, as text: not all of them survive a JavaScript value. */
const SAMPLES = [
  ...['null', 'true', 'false', '0', '-0', '1', '-1', '1.5', '1e999', '-1e999', '9007199254740992', '1e-7'],
  ...[
    '""',
    '"text"',
    '"1"',
    '"true"',
    '"null"',
    '"\\u0000"',
    '[]',
    '{}',
    '[null]',
    '[[]]',
    '["text"]',
    '[1]',
  ],
  ...['{"a":1}', '{"__proto__":1}', '{"constructor":{}}', '{"length":1}', '{"toString":null}', '{"key":"a"}'],
];

const text = (sample: string) => sample.startsWith('"');
const filled = (sample: string) => text(sample) && sample !== '""';
const boolean = (sample: string) => sample === 'true' || sample === 'false';
const positive = (sample: string) => sample === '1';
const integer = (sample: string) => /^-?[01]$/.test(sample);
const list = (sample: string) => sample.startsWith('[');
const object = (sample: string) => sample.startsWith('{');

/** Which samples each field of a request could rightly hold. These are not sent: some of them would be obeyed. */
const RIGHT: Readonly<Record<string, (sample: string) => boolean>> = {
  ...{ key: filled, value: text, prefix: text, after: text, read: () => false, to: filled },
  ...{ prev: boolean, values: boolean, forward: boolean, cluster: boolean, force: boolean },
  ...{ depth: positive, limit: positive, timeout: positive, ttl: positive, seq: positive, from: integer },
  ...{ lease: integer, session: integer, watch: integer },
  // biome-ignore lint/suspicious/noThenProperty: a field of txn
  ...{ if: sample => sample === '[]', then: list, else: list, members: list, expect: list, nodes: object },
  node: sample => object(sample) || filled(sample),
  id: sample => text(sample) || integer(sample),
  op: () => false,
};

/** Every field of every operation, with a value of every wrong type. */
export function wrongTypes({ connect }: Pick<Target, 'connect'>): void {
  for (const [op, spec] of Object.entries(OPS) as [string, Op][]) {
    it(`refuses each field of ${op} with a value of each wrong type, by name`, async () => {
      const client = await connect();
      const before = await client.ask('status');
      const given: Readonly<Record<string, string>> = { key: '"/wrong"', value: '""' };
      for (const field of [
        'id',
        'op',
        ...[spec.required, spec.optional, COMMON_FIELDS].flatMap(Object.keys),
      ]) {
        const isRight = RIGHT[field];
        if (isRight === undefined) throw new Error(`say in RIGHT what "${field}" may hold`);
        const others = Object.keys(spec.required).filter(name => name !== field && given[name] !== undefined);
        const rest = others.map(name => `,"${name}":${given[name]}`).join('');
        for (const sample of SAMPLES.filter(candidate => !isRight(candidate))) {
          const line = `{"${field}":${sample}${field === 'op' ? '' : `,"op":"${op}"`}${rest}}`;
          const reply = await client.ask(line);
          expect(reply.ok, line).to.equal(false);
          expect(reply.error?.code, line).to.be.oneOf(REFUSALS);
          expect(reply.error, line).to.include({ definite: true, retry: false });
          // A string is the right type for an op, and an op of a later stage is refused before its fields are read.
          if (reply.error?.code === 'UNKNOWN_OP' || spec.stage > before.stage) continue;
          expect(reply.error?.message, line).to.contain(`"${field}`);
        }
      }
      const after = await client.ask('status');
      expect([after.rev, after.keys]).to.deep.equal([before.rev, before.keys]);
    });
  }
}
