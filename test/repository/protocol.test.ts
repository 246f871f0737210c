import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { RunningNode } from '../../src/node/options.ts';
import { ERRORS } from '../../src/wire/errors.ts';
import { LIMITS } from '../../src/wire/limits.ts';
import { OPS } from '../../src/wire/ops.ts';
import { STAGES } from '../../stages/stages.ts';
import { eventually } from '../shared/cluster.ts';
import { freePort } from '../shared/free-ports.ts';
import { LineClient } from '../shared/line-client.ts';
import { startNode } from '../shared/nodes.ts';

const text = readFileSync(new URL('../../../PROTOCOL.md', import.meta.url), 'utf8');

/** The lines of the blocks in which something is sent. */
const conversation = [...text.matchAll(/^```\n(> .*?)^```$/gms)].flatMap(([, block = '']) =>
  block.trimEnd().split('\n'),
);

/** What a line is made of in which `…` stands for anything. */
function pattern(line: string): RegExp {
  const parts = line.split('…').map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`);
}

describe('PROTOCOL.md', () => {
  let node: RunningNode;
  let client: LineClient;
  let data: string;

  before(async () => {
    data = mkdtempSync(join(tmpdir(), 'raftline-protocol-'));
    const port = await freePort();
    const nodes = [{ id: 'n1', address: `127.0.0.1:${port}` }];
    node = await startNode(STAGES.at(-1)?.number ?? 0, { data, nodes, listen: { host: '127.0.0.1', port } });
    client = await LineClient.connect(node.address);
    await eventually('it leads', async () => (await client.ask('status')).role === 'leader');
  });
  after(async () => {
    await client.close();
    await node.close();
    rmSync(data, { recursive: true, force: true });
  });

  it('shows what a node answers', async () => {
    expect(conversation.filter(line => line.startsWith('> '))).to.have.length.of.at.least(20);
    for (const line of conversation) {
      if (line.startsWith('> ')) client.send(line.slice(2));
      else expect(await client.line()).to.match(pattern(line));
    }
    // Nothing came that it does not show.
    expect((await client.ask('ping')).pong).to.equal(true);
  });

  it('names every operation, and every error with what it promises', () => {
    for (const op of Object.keys(OPS)) expect(text).to.include(`\`${op}\``);
    for (const [code, { definite, retry }] of Object.entries(ERRORS)) {
      const marks = `${definite ? '' : ' !'}${retry ? ' ↻' : ''}`;
      expect(text).to.include(`\n| \`${code}\`${marks} | `);
    }
    const rows = text.match(/^\| `[A-Z_]+`/gm) ?? [];
    expect(rows).to.have.length(Object.keys(ERRORS).length);
  });

  it('tells the limits that hold', () => {
    for (const limit of [LIMITS.line, LIMITS.key, LIMITS.value, LIMITS.id, LIMITS.list]) {
      expect(text).to.include(limit.toLocaleString('en-US'));
    }
  });
});
