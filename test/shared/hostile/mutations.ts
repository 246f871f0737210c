import { expect } from 'chai';
import type { LineClient } from '../line-client.ts';
import { type Random, withSeed } from '../random.ts';
import { MEBIBYTE, REFUSALS, type Target } from './target.ts';

const LINES = 20_000;
const BATCH = 50;

const SOUND = [
  '{"op":"get","key":"/app/db"}',
  '{"op":"set","key":"/app/db","value":"pg","prev":true}',
  '{"op":"set","id":7,"key":"/app/ключ","value":"\u{1f600} é","if":{"absent":true}}',
  '{"op":"set","key":"/app/x","value":"","if":[{"mod":1},{"key":"/app/y","version":2,"value":"a"}]}',
  '{"op":"remove","key":"/app/db","if":{"exists":true}}',
  '{"op":"remove","id":"r","prefix":"/app/d"}',
  '{"op":"list","prefix":"/app/","depth":1,"values":true,"limit":10,"after":"/app/a","read":"stale"}',
  '{"op":"ping","id":"\\u0000\\n\\"","timeout":100,"forward":false}',
  '{"op":"hello"}',
  'status',
];
const TOKENS = [
  ...[
    '{',
    '}',
    '[',
    ']',
    '"',
    ':',
    ',',
    '\\',
    '\\u',
    '\\ud800',
    '\u0000',
    '\r',
    '\t',
    ' ',
    '/',
    '-',
    '.',
    'e',
  ],
  ...[
    'null',
    'true',
    '1e999',
    '9007199254740993',
    '-0',
    '""',
    '{}',
    '[]',
    '"__proto__":',
    '"constructor":{},',
  ],
  ...['"op":', '"id":', '"key":"', '\u2028', '\ufeff', '\u{10ffff}', 'op', 'NaN', '//', '[[[[[[[[[[[[[[[[[['],
];

/** Sound lines, damaged at random in every way that a character can be. */
export function mutations({ node, connect }: Target): void {
  it(`answers ${LINES} damaged lines one by one, while another client is served`, () =>
    withSeed(async random => {
      const before = await node().usage();
      const bystander = await connect();
      let client = await connect();
      const answered = new Map<string, number>();
      for (let sent = 0; sent < LINES; sent += BATCH) {
        const batch = Array.from({ length: BATCH }, () => mutated(random));
        const mark = `mark ${sent}`;
        client.bytes(Buffer.concat([...batch, Buffer.from(`{"op":"ping","id":"${mark}"}\n`)]));
        const isOpen = await readBatch(client, mark, answered);
        if (!isOpen) {
          await client.close();
          client = await connect();
        }
        if (sent % 1_000 === 0) expect((await bystander.ask('ping', 2_000)).ok).to.equal(true);
      }
      // The damage was neither so light that all passed nor so heavy that nothing was understood.
      for (const outcome of ['ok', 'BAD_JSON', 'BAD_REQUEST', 'UNKNOWN_OP', 'BAD_ENCODING']) {
        expect(answered.get(outcome), outcome).to.be.greaterThan(10);
      }
      const after = await node().usage();
      expect(after.heap - before.heap, 'growth of the heap').to.be.lessThan(32 * MEBIBYTE);
    }));
}

/** Reads up to the mark. False when the connection was closed instead, as it is on bytes that are not UTF-8. */
async function readBatch(client: LineClient, mark: string, answered: Map<string, number>): Promise<boolean> {
  const count = (outcome: string) => answered.set(outcome, (answered.get(outcome) ?? 0) + 1);
  for (let isClosing = false; ; ) {
    let line: string;
    try {
      line = await client.line();
    } catch (error) {
      if (client.socket.destroyed) return false;
      throw error;
    }
    expect(isClosing, 'a reply behind the last one').to.equal(false);
    const reply = JSON.parse(line);
    expect(reply.ok, line).to.be.a('boolean');
    if (reply.id === mark) return true;
    count(reply.ok ? 'ok' : reply.error.code);
    if (!reply.ok) expect(reply.error.code, line).to.be.oneOf([...REFUSALS, 'BAD_ENCODING']);
    isClosing = reply.error?.code === 'BAD_ENCODING';
  }
}

/** A sound line, damaged, with its newline. */
export function mutated(random: Random): Buffer {
  let points = Array.from(random.pick(SOUND));
  for (let times = 1 + random.below(3); times > 0; times -= 1) points = damaged(points, random);
  const bytes = Buffer.from(`${points.join('').replaceAll('\n', '')}\n`);
  // Most lines stay UTF-8, or the connection would be closed before anything else is looked at.
  if (random.chance(0.01)) bytes[random.below(bytes.length - 1)] = 128 + random.below(128);
  return bytes;
}

function damaged(points: readonly string[], random: Random): string[] {
  const at = random.below(points.length + 1);
  const to = at + random.below(8);
  switch (random.below(6)) {
    case 0:
      return points.toSpliced(at, 1);
    case 1:
      return points.toSpliced(at, to - at);
    case 2:
      return points.toSpliced(at, random.below(2), random.pick(TOKENS));
    case 3:
      return points.toSpliced(at, 0, ...points.slice(at, to));
    case 4:
      return points.slice(0, at);
    default:
      return points.toSpliced(at, 1, String.fromCodePoint(random.below(0x250)));
  }
}
