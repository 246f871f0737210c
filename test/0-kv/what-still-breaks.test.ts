import { expect } from 'chai';
import { LineClient } from '../shared/line-client.ts';
import { serveNode } from '../shared/nodes.ts';

describe('what still breaks at stage 0', () => {
  it('everything is lost when the process dies, what it acknowledged included', async () => {
    const first = await serveNode(0);
    try {
      const client = await LineClient.connect(first.address);
      const set = await client.ask({ op: 'set', key: '/app/db', value: 'pg' });
      expect(set).to.include({ ok: true, mod: 1 });
      await client.close();
    } finally {
      await first.end();
    }
    const second = await serveNode(0);
    try {
      const client = await LineClient.connect(second.address);
      expect(await client.ask({ op: 'get', key: '/app/db' })).to.include({ value: null, rev: 0 });
      await client.close();
    } finally {
      await second.end();
    }
  });
});
