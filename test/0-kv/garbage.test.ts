import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';
import split2 from 'split2';
import { PROGRAM } from '../1-client/program.ts';
import { LineClient } from '../shared/line-client.ts';

/** A program whose objects all survive. */
const SURVIVORS = 'const all = []; for (let n = 0; n < 1_000_000; n += 1) all.push({ n });';

describe('the garbage of requests', () => {
  it('dies young: V8 never takes a kind of object for one that lives long, whatever a burst makes it see', async () => {
    // It tells of each kind that it has an opinion of.
    const args = [
      '--trace-pretenuring-statistics',
      PROGRAM,
      'serve',
      '--stage',
      '0',
      '--listen',
      '127.0.0.1:0',
    ];
    const node = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const said: string[] = [];
    try {
      const address = new Promise<string>(resolve => {
        node.stdout.pipe(split2()).on('data', (line: string) => {
          said.push(line);
          const [, found] = / listens on (\S+)/.exec(line) ?? [];
          if (found !== undefined) resolve(found);
        });
      });
      const client = await LineClient.connect(await address);
      const sets = Array.from({ length: 500 }, (_, n) => ({ id: n, op: 'set', key: `/k/${n}`, value: 'v' }));
      for (let round = 0; round < 20; round += 1) {
        client.send(...sets);
        await client.replies(sets.length);
      }
      client.socket.destroy();
    } finally {
      const closed = once(node, 'close');
      node.kill();
      await closed;
    }
    const control = spawnSync(process.execPath, ['--trace-pretenuring-statistics', '-e', SURVIVORS]);
    expect(control.stdout.toString(), 'V8 tells of it in other words').to.include('AllocationSite');
    expect(said.filter(line => line.includes('AllocationSite'))).to.deep.equal([]);
  });
});
