import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { Cluster } from '../../lab/cluster.ts';

const folder = fileURLToPath(new URL('../../../examples/', import.meta.url));

/** What each prints, line by line. */
const EXAMPLES: Readonly<Record<string, readonly (string | RegExp)[]>> = {
  'configuration.js': ['level info', '/example/config/level info -> debug', 'level debug'],
  'election.js': ['leader one', 'leader two with a higher fence: true', 'leader null'],
  'leases.js': ['online: yes lease held: true', 'online: null lease held: false'],
  'lock.js': [
    /^worker \d counted to 1, lock held: true$/,
    /^worker \d counted to 2, lock held: true$/,
    /^worker \d counted to 3, lock held: true$/,
    'count 3',
  ],
  'services.js': ['one 10.0.0.1:80 a', 'two 10.0.0.2:80 -', "[ 'two' ]"],
  'transactions.js': ['/example/accounts/ann 30', '/example/accounts/bob 70'],
  'watch.js': [
    'now /example/watch/color=red',
    'set /example/watch/color green',
    'set /example/watch/size 7',
    'remove /example/watch/color ',
  ],
};

describe('the examples', function () {
  this.timeout(60_000).slow(10_000);
  let data: string;
  let cluster: Cluster;

  before(async () => {
    data = mkdtempSync(join(tmpdir(), 'raftline-examples-'));
    cluster = await Cluster.start({ nodes: 3, data });
    await cluster.leader();
  });

  after(async () => {
    await cluster.stop();
    rmSync(data, { recursive: true, force: true });
  });

  it('are all here', () => {
    const files = readdirSync(folder).filter(file => file !== 'address.js');
    expect(files.sort()).to.deep.equal(Object.keys(EXAMPLES));
  });

  for (const [file, lines] of Object.entries(EXAMPLES)) {
    it(`${file} says what it should, again and again`, async () => {
      for (let n = 0; n < 2; n += 1) {
        const env = { ...process.env, RAFTLINE_ADDRESS: cluster.addresses.join(',') };
        const child = spawn(process.execPath, [join(folder, file)], { env, timeout: 40_000 });
        let output = '';
        let errors = '';
        child.stdout.on('data', chunk => {
          output += chunk;
        });
        child.stderr.on('data', chunk => {
          errors += chunk;
        });
        const [status] = await once(child, 'close');
        expect({ status, errors }, output).to.deep.equal({ status: 0, errors: '' });
        const found = output.split('\n').slice(0, -1);
        expect(found).to.have.length(lines.length);
        for (const [at, line] of lines.entries()) {
          if (typeof line === 'string') expect(found[at]).to.equal(line);
          else expect(found[at]).to.match(line);
        }
      }
    });
  }
});
