import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ask } from '../../lab/ask.ts';
import { startNode } from '../shared/nodes.ts';

const A = { id: 'a', address: '127.0.0.1:7001' };
const B = { id: 'b', address: '127.0.0.1:7002' };

/** The leader of stages 4 and 5 is given: what else a data directory may hold, they refuse in words. */
describe('the given leader', () => {
  let folder: string;
  let data: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    data = join(folder, 'a');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Runs node a for a moment. */
  async function run(stage: number, nodes = [A, B]): Promise<void> {
    await (await startNode(stage, { id: 'a', nodes, data })).close();
  }

  async function refusal(stage: number, nodes = [A, B]): Promise<string> {
    return run(stage, nodes).then(
      () => 'none',
      (error: Error) => error.message,
    );
  }

  for (const stage of [4, 5]) {
    it(`refuses a log of leaders that were elected, at stage ${stage}`, async () => {
      const node = await startNode(6, { id: 'a', nodes: [A], data });
      const set = await ask(node.address, '{"op":"set","key":"/a","value":"once it leads"}', 10_000);
      await node.close();
      expect(set).to.contain('"ok":true');
      const words = /has held elections \(it is in term \d+\), and stage \d is given its leader: run stage 6/;
      expect(await refusal(stage, [A])).to.match(words);
      await run(6, [A]);
    });

    it(`refuses a log of another leader, at stage ${stage}`, async () => {
      await run(stage);
      const words = `${data} has a as its leader for good, not b: give --nodes with a first, or run stage 6 or later on it`;
      expect(await refusal(stage, [B, A])).to.equal(words);
      await run(stage);
    });
  }
});
