import { expect } from 'chai';
import { LineClient } from '../shared/line-client.ts';
import { forkNode } from '../shared/nodes.ts';

describe('what still breaks at stage 0', () => {
  it('everything is lost when the process dies, what it acknowledged included', async () => {
    const first = await forkNode(0);
    const client = await LineClient.connect(first.address);
    const set = await client.ask({ op: 'set', key: '/app/db', value: 'pg' });
    expect(set).to.include({ ok: true, mod: 1 });
    await first.kill();
    await client.close();

    const second = await forkNode(0);
    const again = await LineClient.connect(second.address);
    expect(await again.ask({ op: 'get', key: '/app/db' })).to.include({ value: null, rev: 0 });
    await again.close();
    await second.kill();
  });
});
