import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { ClientError, connect } from '../../client/client.ts';
import type { RunningNode } from '../../src/node/options.ts';
import { parseAddress } from '../../src/wire/address.ts';
import { STAGES } from '../../stages/stages.ts';
import { type Ran, raftline } from '../1-client/program.ts';
import { eventually } from '../shared/cluster.ts';
import { freePort } from '../shared/free-ports.ts';
import { LineClient } from '../shared/line-client.ts';
import { startNode } from '../shared/nodes.ts';

const LAST = STAGES.at(-1)?.number ?? 0;

describe('the client over gRPC', function () {
  this.timeout(60_000);
  let node: RunningNode;
  let data: string;
  let address: string;
  let port: number;

  before(async () => {
    data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    port = await freePort();
    node = await start('127.0.0.1:0');
    address = `grpc://${node.grpcAddress}`;
    const lines = await LineClient.connect(node.address);
    await eventually('it leads', async () => (await lines.ask({ op: 'hello' })).role === 'leader');
    await lines.close();
  });
  after(async () => {
    await node.close();
    rmSync(data, { recursive: true, force: true });
  });

  function start(grpc: string): Promise<RunningNode> {
    const nodes = [{ id: 'n1', address: `127.0.0.1:${port}` }];
    const listen = { host: '127.0.0.1', port };
    return startNode(LAST, { nodes, data, listen, grpcListen: parseAddress(grpc) });
  }

  const run = (...args: string[]): Promise<Ran> => raftline([...args, '--address', address]);

  it('is what the verbs use when an address says so', async () => {
    expect((await run('set', '/app/db', 'pg')).out).to.match(/^\/app\/db is set, mod \d+\n$/);
    expect(await run('get', '/app/db')).to.deep.equal({ status: 0, out: 'pg\n', err: '' });
    expect((await run('list', '/app/', '--values')).out).to.equal('/app/db\tpg\n');
    expect(await run('get', '/none')).to.deep.equal({
      status: 1,
      out: '',
      err: `raftline: get /none at ${address}: there is no such key\n`,
    });
    const { status, err } = await run('set', '/app/db', 'x', '--if-mod', '99');
    expect(status).to.equal(1);
    expect(err).to.contain('read it again and decide anew');
    expect((await run('status')).out).to.contain('n1');
    expect(JSON.parse((await run('get', '/app/db', '--json')).out)).to.include({ ok: true, value: 'pg' });
  });

  it('watches, and goes on where it was when the node has been away', async () => {
    const client = connect(address);
    const seen: unknown[] = [];
    const watching = (async () => {
      for await (const update of client.watch('/w/', { initial: true })) {
        seen.push(update);
        if (seen.length === 3) return;
      }
    })();
    try {
      await eventually('it has begun', () => seen.length === 1);
      await client.set('/w/a', 'first');
      await eventually('it is told', () => seen.length === 2);
      await node.close();
      node = await start(node.grpcAddress ?? '');
      await client.set('/w/a', 'second');
      await watching;
      expect(JSON.stringify(seen[1])).to.contain('first');
      expect(JSON.stringify(seen[2])).to.contain('second');
    } finally {
      await client.close();
    }
  });

  it('takes a backup', async () => {
    const client = connect(address);
    const file = join(data, 'backup.ndjson');
    await client.set('/kept', 'é'.repeat(50_000));
    const { status, out, err } = await run('backup', file);
    expect(status, err).to.equal(0);
    const { hash } = (await client.request('hash')) as unknown as { hash: string };
    expect(out).to.contain(hash);
    expect(readFileSync(file, 'utf8')).to.contain('/kept');
    await client.close();
  });

  it('gives up at once where nobody listens, and says so', async () => {
    const { status, err } = await raftline(['get', '/a', '--address', 'grpc://127.0.0.1:1']);
    expect(status).to.equal(3);
    expect(err).to.contain('127.0.0.1:1 refused the connection (ECONNREFUSED)');
  });

  it('says in words that an address speaks something else', async () => {
    const lines = `grpc://${node.address}`;
    const grpc = node.grpcAddress ?? '';
    for (const [args, words] of [
      [['get', '/a', '--address', lines], 'leave out grpc://'],
      [['backup', join(data, 'none'), '--address', lines], 'leave out grpc://'],
      [['get', '/a', '--address', grpc], 'put grpc:// before its address'],
      [['backup', join(data, 'none'), '--address', grpc], 'put grpc:// before its address'],
    ] as const) {
      const { status, err } = await raftline(args);
      expect(status, args.join(' ')).to.equal(3);
      expect(err).to.contain(words);
    }
  });

  it('speaks one of the two', async () => {
    expect(() => connect(['grpc://127.0.0.1:1', '127.0.0.1:2'])).to.throw(/either all addresses begin/);
    expect(() => connect('grpc://localhost')).to.throw(/has no port/);
  });

  it('has as many calls under way as it is asked for, and none once it is closed', async () => {
    const client = connect(address);
    const changes = Array.from({ length: 50 }, (_, n) => client.set(`/many/${n}`, `${n}`));
    await Promise.all(changes);
    const found: string[] = [];
    for await (const key of client.list('/many/')) found.push(key);
    expect(found).to.have.length(50);
    await client.close();
    const after = await client.get('/a').catch(error => error);
    expect(after).to.be.instanceOf(ClientError);
    expect(after.code).to.equal('SHUTTING_DOWN');
  });

  it('loads gRPC only for addresses that want it', async () => {
    const script = `import { createRequire } from 'node:module';
      import { connect } from ${JSON.stringify(new URL('../../client/client.js', import.meta.url).href)};
      const client = connect(process.argv[1]);
      await client.ping();
      await client.close();
      const loaded = Object.keys(createRequire(process.cwd() + '/x.js').cache);
      console.log(loaded.some(path => path.includes('grpc-js')));`;
    for (const [target, isLoaded] of [
      [node.address, 'false\n'],
      [address, 'true\n'],
    ] as const) {
      const args = ['--input-type=module', '--eval', script, target];
      expect((await promisify(execFile)(process.execPath, args)).stdout).to.equal(isLoaded);
    }
  });
});
