import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ask } from '../../lab/ask.ts';
import { STAGES } from '../../stages/stages.ts';
import { Program } from './processes.ts';

describe('raftline serve', () => {
  const started: Program[] = [];

  function serve(...flags: string[]): Program {
    const listen = flags.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
    const stage = flags.includes('--stage') ? [] : ['--stage', '0'];
    const program = new Program(['serve', ...stage, ...listen, ...flags]);
    started.push(program);
    return program;
  }

  /** The address that the one line names. */
  async function listening(program: Program): Promise<string> {
    return (await program.says(/^raftline n1 listens on (\S+) \(stage 0, 1 node\)\n/))[1] ?? '';
  }

  afterEach(async () => {
    for (const program of started.splice(0)) await program.end();
  });

  it('prints one line when it listens, and answers there', async () => {
    const node = serve();
    const address = await listening(node);
    expect(await ask(address, 'ping', 2_000)).to.equal('{"ok":true,"rev":0,"pong":true}');
    expect(node.output.match(/\n/g)).to.have.length(1);
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`shuts down with status 0 at ${signal}`, async () => {
      const node = serve();
      await listening(node);
      node.child.kill(signal);
      expect(await node.exit).to.deep.equal({ status: 0, signal: null });
      expect(node.errors).to.equal('');
    });
  }

  it('ends when it is told to, also while its start hangs', async () => {
    const hang = "import{Server}from'node:net';Server.prototype.listen=()=>setInterval(()=>{},1000)";
    const args = ['serve', '--stage', '0', '--listen', '127.0.0.1:0', '--stop-with-stdin'];
    const preload = `--import=data:text/javascript,${encodeURIComponent(hang)}`;
    const node = new Program(args, 'pipe', { NODE_OPTIONS: preload });
    started.push(node);
    node.child.stdin?.end();
    expect((await node.exit).status).to.equal(1);
    expect(node.errors).to.contain('did not start before it was told to stop');
  });

  for (const transport of ['lines', 'grpc']) {
    it(`ends with status 3 and says why when its start fails behind its sockets, over ${transport}`, async () => {
      const data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
      const fault = 'Math.random=()=>{throw new Error("a planted fault")}';
      const preload = `--import=data:text/javascript,${encodeURI(fault)}`;
      const nodes = ['--nodes', 'n1=127.0.0.1:7001', '--listen', '127.0.0.1:0', '--data', data];
      const args = ['serve', ...nodes, '--transport', transport, '--grpc-listen', '127.0.0.1:0'];
      const node = new Program(args, 'pipe', { NODE_OPTIONS: preload });
      started.push(node);
      const { status } = await node.exit;
      rmSync(data, { recursive: true });
      expect(status).to.equal(3);
      expect(node.output).to.equal('');
      expect(node.errors).to.match(/^raftline: serve failed: a planted fault.*\n$/);
    });
  }

  it('ends at once at a second signal', async () => {
    const node = serve();
    const address = await listening(node);
    // A client that stays makes the shutdown wait for a while.
    const began = performance.now();
    const port = Number(address.split(':')[1]);
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).resume();
    client.on('error', () => {});
    await once(client, 'connect');
    node.child.kill('SIGTERM');
    await once(client, 'end');
    node.child.kill('SIGTERM');
    expect((await node.exit).status).to.equal(143);
    expect(performance.now() - began).to.be.lessThan(2_000);
    client.destroy();
  });

  it('stops when its standard input ends, if it was told to', async () => {
    const node = serve('--stop-with-stdin');
    await listening(node);
    node.child.stdin?.end();
    expect((await node.exit).status).to.equal(0);
  });

  it('does not mind an end of its standard input otherwise, nor that nobody reads its output', async () => {
    const node = serve();
    const address = await listening(node);
    node.child.stdin?.end();
    node.child.stdout?.destroy();
    node.child.stderr?.destroy();
    expect(await ask(address, '{"op":"set","key":"/a","value":"1"}', 2_000)).to.contain('"ok":true');
    expect(await ask(address, 'ping', 2_000)).to.contain('pong');
    node.child.kill('SIGTERM');
    expect((await node.exit).status).to.equal(0);
  });

  it('ends with status 1 and says why when there is a fault in it, also when its input is held open', async () => {
    const fault = 'data:text/javascript,process.once("SIGUSR2",()=>{throw new Error("a planted fault")})';
    const args = ['serve', '--stage', '0', '--listen', '127.0.0.1:0', '--stop-with-stdin'];
    const node = new Program(args, 'pipe', { NODE_OPTIONS: `--import=${encodeURI(fault)}` });
    started.push(node);
    await listening(node);
    node.child.kill('SIGUSR2');
    expect((await node.exit).status).to.equal(1);
    expect(node.errors).to.contain('raftline n1 stops, because of a fault in it: Error: a planted fault');
  });

  it('says in one line that its address is in use, with status 3', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = `127.0.0.1:${(other.address() as AddressInfo).port}`;
    const node = serve('--listen', address, '--stop-with-stdin');
    const { status } = await node.exit;
    other.close();
    expect(status).to.equal(3);
    expect(node.errors).to.match(/^raftline: serve: .* is in use: .*\n$/);
    expect(node.errors).to.contain(address);
  });

  const cluster = 'n1=127.0.0.1:7001,n2=127.0.0.1:7002';
  const wrong: [title: string, flags: string[], words: RegExp][] = [
    ['a stage that does not exist yet', ['--stage', '99'], /no such stage yet/],
    ['an address without a port', ['--listen', 'localhost'], /--listen: .*it has no port/],
    ['an address of another machine', ['--listen', '192.0.2.1:7001'], /not an address of this machine/],
    ['a node id with a slash', ['--id', '../n1'], /--id/],
    ['a node id that names a folder', ['--id', '..'], /--id "\.\.": .*but neither \. nor \.\. alone/],
    [
      'an id that is not in the list',
      ['--id', 'n3', '--nodes', cluster],
      /--id n3 is not in --nodes: it has n1, n2/,
    ],
    ['a list without an id', ['--nodes', cluster], /--id is missing: which of n1, n2/],
    ['a list with a bad address', ['--nodes', 'n1=x'], /--nodes: "x" is not an address/],
    ['several nodes at a stage of one', ['--id', 'n1', '--nodes', cluster], /runs one node, not 2/],
    ['an unknown transport', ['--transport', 'pigeon'], /there is no such transport/],
    [
      'a proxy without an id',
      ['--peer-proxy', 'http://127.0.0.1:9'],
      /--peer-proxy: .*is not http:\/\/ID@host:port/,
    ],
  ];
  for (const [title, flags, words] of wrong) {
    it(`refuses ${title} with status 2`, async () => {
      const node = serve(...flags);
      expect((await node.exit).status).to.equal(2);
      expect(node.errors)
        .to.match(words)
        .and.match(/^[^\n]+\n$/);
    });
  }

  it('runs the last stage unless told', async () => {
    const data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    try {
      const node = new Program(['serve', '--id', 'n1', '--listen', '127.0.0.1:0', '--data', data]);
      started.push(node);
      await node.says(new RegExp(`\\(stage ${STAGES.at(-1)?.number}\\)`));
      await node.end();
    } finally {
      rmSync(data, { recursive: true, force: true });
    }
  });
});
