import { expect } from 'chai';
import type { RunningNode } from '../../src/node/options.ts';
import { raftline } from '../1-client/program.ts';
import { LineClient } from '../shared/line-client.ts';
import { startNode } from '../shared/nodes.ts';

const KEYS: readonly (readonly [key: string, value: string])[] = [
  ['/app/db', 'pg'],
  ['/app/ä', 'ü\u2028\u2029'],
  ['/app/\u{1f600}', '{"json":"in \\"quotes\\""}'],
  ['__proto__', 'no prototype'],
  ['/line\nbreak', 'a\r\nb\u0000'],
];

describe('raftline export and import', () => {
  let node: RunningNode;
  let address: string[];

  beforeEach(async () => {
    node = await startNode(0);
    address = ['--address', node.address];
  });
  afterEach(() => node.close());

  async function fill(keys: readonly (readonly [string, string])[]): Promise<void> {
    const client = await LineClient.connect(node.address);
    for (const [key, value] of keys) expect((await client.ask({ op: 'set', key, value })).ok).to.equal(true);
    await client.close();
  }

  it('give back every key and value, code point for code point', async () => {
    await fill(KEYS);
    const { status, out, err } = await raftline(['export', ...address]);
    expect({ status, err }).to.deep.equal({ status: 0, err: '' });
    const lines = out.trimEnd().split('\n');
    expect(lines).to.have.length(KEYS.length);
    const before = await raftline(['list', '--values', ...address]);
    await raftline(['remove', '', '--prefix', ...address]);
    for (const [key] of KEYS) await raftline(['remove', key, ...address]);
    const imported = await raftline(['import', ...address], { input: out });
    expect(imported).to.deep.equal({ status: 0, out: '5 keys imported\n', err: '' });
    expect(await raftline(['list', '--values', ...address])).to.deep.equal(before);
  });

  it('take --json: an export is JSON already, and an import says so how many keys it wrote', async () => {
    await fill(KEYS);
    const { status, out } = await raftline(['export', '--json', ...address]);
    expect(status).to.equal(0);
    expect(out).to.equal((await raftline(['export', ...address])).out);
    const imported = await raftline(['import', '--json', ...address], { input: out });
    expect(imported).to.deep.equal({ status: 0, out: '{"imported":5}\n', err: '' });
  });

  it('take a prefix, many pages, and lines however they end', async () => {
    const many = Array.from({ length: 2_500 }, (_, at) => [`/many/${at}`, `${at}`] as const);
    const input = `\r\n${many.map(([key, value]) => JSON.stringify({ key, value, mod: 7 })).join('\r\n')}\n\n`;
    expect(await raftline(['import', ...address], { input })).to.include({
      status: 0,
      out: '2,500 keys imported\n',
    });
    await fill([['/other', 'x']]);
    const { out } = await raftline(['export', '/many/', ...address]);
    expect(out.trimEnd().split('\n')).to.have.length(2_500);
  });

  it('name the line that cannot be taken, and keep what stood before it', async () => {
    const good = (at: number) => JSON.stringify({ key: `/k/${at}`, value: 'v' });
    const cases: readonly (readonly [input: string | Buffer, words: RegExp])[] = [
      [`${good(1)}\n{"key":"/x",\n${good(2)}\n`, /line 2 is not JSON/],
      [`${good(1)}\n\nnull\n${good(2)}\n`, /line 3 is not a JSON object: null/],
      [`${good(1)}\n{"key":"/x"}\n`, /line 2 is not an object with "key" and "value"/],
      [`${good(1)}\n{"key":"","value":""}\n`, /line 2: .*BAD_REQUEST/],
      [Buffer.concat([Buffer.from(`${good(1)}\n`), Buffer.from([0x22, 0xff, 0x0a])]), /line 2 is not UTF-8/],
      [`${good(1)}\n{"key":"/x","value":"${'x'.repeat(1_100_000)}"}\n`, /line 2 is longer than/],
    ];
    for (const [input, words] of cases) {
      const { status, out, err } = await raftline(['import', ...address], { input });
      expect(status, err).to.equal(2);
      expect(out).to.equal('');
      expect(err)
        .to.match(words)
        .and.to.match(/^raftline: import.*1 key imported\n$/);
    }
  }).timeout(60_000);

  it('say how far they are when they are asked to', async () => {
    const input = Array.from({ length: 20_000 }, (_, at) => `{"key":"/k/${at}","value":"v"}\n`).join('');
    const { status, err } = await raftline(['import', '--progress', ...address], { input });
    expect(status).to.equal(0);
    expect(err).to.match(/^([\d,]+ keys? imported\n)+$/);
  });

  it('say so when nobody answers', async () => {
    const { status, err } = await raftline(['export', '--address', '127.0.0.1:1']);
    expect(status).to.equal(3);
    expect(err).to.include('127.0.0.1:1');
  });
});
