import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { RunningNode } from '../../src/node/options.ts';
import { raftline as run } from '../1-client/program.ts';
import { eventually } from '../shared/cluster.ts';
import { startNode } from '../shared/nodes.ts';

describe('the life of a cluster from the command line', function () {
  this.timeout(60_000);
  let data: string;
  let nodes: RunningNode[] = [];
  const address = (at: number) => nodes[at]?.address ?? '';

  beforeEach(async () => {
    data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    nodes = await Promise.all(['a', 'b'].map(id => startNode(6, { id, data: join(data, id) })));
  });
  afterEach(async () => {
    await Promise.all(nodes.map(node => node.close()));
    rmSync(data, { recursive: true, force: true });
  });

  it('begins with init, is shown by members, and changes hands with transfer-leader', async () => {
    const list = `a=${address(0)},b=http://${address(1)}`;
    const began = await run(['init', '--address', address(1), '--nodes', list]);
    expect(began).to.include({ status: 0, out: `a\t${address(0)}\tvoter\nb\t${address(1)}\tvoter\n` });
    expect(await run(['members', '--address', address(0)])).to.include({ status: 0, out: began.out });
    for (const to of ['a', 'b', 'a']) {
      await eventually(`${to} leads`, async () => {
        const { status, out } = await run(['transfer-leader', to, '--address', address(1)]);
        return status === 0 && out === `${to} at ${address(to === 'a' ? 0 : 1)} leads\n`;
      });
    }
    const again = await run(['init', '--address', address(0), '--nodes', list]);
    expect(again.status).to.equal(1);
    expect(again.err).to.contain('ALREADY_INITIALISED');
  });

  it('says what is wrong with a list of nodes, and begins nothing', async () => {
    for (const [list, words] of [
      ['a', 'is not id=host:port'],
      [`a=${address(0)},a=${address(1)}`, 'a is listed twice'],
      [`a=${address(0)},b=127.0.0.1:0`, 'b has port 0'],
    ] as const) {
      const { status, err } = await run(['init', '--address', address(0), '--nodes', list]);
      expect(status, err).to.equal(2);
      expect(err).to.contain(words);
    }
    const other = await run(['init', '--address', address(0), '--nodes', 'a=127.0.0.1:1']);
    expect(other).to.include({ status: 2 });
    expect(other.err).to.contain(`a listens on ${address(0)}`);
    const away = await run(['init', '--address', address(0), '--nodes', `a=${address(0)},b=127.0.0.1:1`]);
    expect(away.status).to.equal(3);
    expect(away.err).to.contain('NODE_UNREACHABLE');
    expect((await run(['init', '--address', address(0)])).status).to.equal(2);
    expect((await run(['get', '/a', '--address', address(0)])).err).to.contain('NOT_INITIALISED');
  });
});
