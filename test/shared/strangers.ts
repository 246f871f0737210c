import { expect } from 'chai';
import type { RunningNode } from '../../src/node/options.ts';
import { clusterOf } from '../../src/node/peers.ts';
import { LineClient } from './line-client.ts';
import { startNode } from './nodes.ts';

const NODES = [
  { id: 'n1', address: '127.0.0.1:1' },
  { id: 'n2', address: '127.0.0.1:2' },
];

/**
 * What comes of hostile words on the lines between the nodes of a stage that replicates naively. Where its nodes speak
 * gRPC, nobody who greets by lines comes further than that.
 */
export function strangers(stage: number, { takesLines }: { takesLines: boolean }): void {
  describe('what a stranger says where nodes greet each other', () => {
    let node: RunningNode;

    beforeEach(async () => {
      node = await startNode(stage, { nodes: NODES });
    });
    afterEach(() => node.close());

    async function said(line: string): Promise<LineClient> {
      const client = await LineClient.connect(node.address);
      client.send(line);
      return client;
    }

    async function isWell(): Promise<void> {
      const client = await LineClient.connect(node.address);
      expect(await client.ask('ping')).to.include({ ok: true });
      await client.close();
    }

    const goodHello: Readonly<Record<string, string>> = { cluster: clusterOf(NODES), from: 'n2', to: 'n1' };

    it('is refused in few words, however long and however deep', async () => {
      const deep = '['.repeat(200_000) + ']'.repeat(200_000);
      const long = JSON.stringify('x'.repeat(500_000));
      for (const field of ['protocol', 'cluster', 'from', 'to']) {
        for (const content of [deep, long, '{}', 'null', '"../../x"', '1e999']) {
          const hello = ['protocol', 'cluster', 'from', 'to']
            .map(
              name =>
                `"${name}":${name === field ? content : name === 'protocol' ? '1' : `"${goodHello[name]}"`}`,
            )
            .join(',');
          const client = await said(`{"op":"peer",${hello}}`);
          const reply = await client.line();
          expect(JSON.parse(reply).error.code, reply.slice(0, 200)).to.equal('CLUSTER_MISMATCH');
          expect(reply.length).to.be.below(500);
          await client.ending();
        }
      }
      await isWell();
    });

    if (!takesLines) return;

    const greeting = JSON.stringify({ op: 'peer', protocol: 1, ...goodHello });

    it('is received as what a node says is: with a blank line for what has arrived, and none for nothing', async () => {
      const client = await said(greeting);
      expect(JSON.parse(await client.line())).to.include({ ok: true, receipts: true });
      client.send('{"type":"forwarded","number":1,"outcome":{"ok":true}}');
      expect(await client.line()).to.equal('');
      client.send('[]');
      expect(await client.rest()).to.have.length.at.most(1);
    });

    it('stops nothing, even in the name of a node: a message that is none ends its connection', async () => {
      const messages = [
        '[]',
        'null',
        '{"type":"replicate","number":1}',
        '{"type":"replicate","number":1,"command":{"op":"set","key":{"length":5},"value":1}}',
        '{"type":"replicate","number":1,"command":{"op":"help"}}',
        '{"type":"replicated"}',
        '{"type":"forwarded","number":1,"outcome":null}',
        '{"type":"forward","number":1,"patience":"long","request":{}}',
        '{"type":"no such"}',
        '{"lines":1e9}',
      ];
      for (const message of messages) {
        const client = await said(greeting);
        expect(JSON.parse(await client.line())).to.include({ ok: true });
        client.send(message);
        await client.ending();
        await isWell();
      }
      const client = await said(greeting);
      expect(JSON.parse(await client.line())).to.include({ ok: true });
      client.send(
        '{"type":"forward","number":1,"patience":1000,"request":{"op":"set","key":{"length":5},"value":1}}',
      );
      await isWell();
      await client.close();
    });

    it('cannot make a message grow without bound', async () => {
      const client = await said(greeting);
      expect(JSON.parse(await client.line())).to.include({ ok: true });
      client.send('{"type":"replicate","lines":60000}');
      const line = 'x'.repeat(1_000_000);
      for (let count = 0; count < 12; count += 1) client.send(line);
      await client.ending();
      await isWell();
    });
  });
}
