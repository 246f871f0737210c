import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';
import type { RunningNode } from '../../src/node/options.ts';
import { parseAddress } from '../../src/wire/address.ts';
import { startNode } from '../shared/nodes.ts';

const isInstalled = (tool: string) => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0;

/** Runs a tool on input, and resolves with what it printed once it has ended. */
async function run(tool: string, args: readonly string[], input: string): Promise<string> {
  const child = spawn(tool, args, { stdio: ['pipe', 'pipe', 'ignore'], timeout: 10_000 });
  child.stdin.on('error', () => {}); // it may end before it has read everything
  child.stdin.write(input);
  if (tool === 'nc') child.stdin.end();
  let output = '';
  child.stdout.setEncoding('utf8').on('data', text => {
    output += text;
  });
  const [status, signal] = await once(child, 'close');
  expect(signal, `${tool} still ran`).to.equal(null);
  expect(status).to.be.a('number');
  return output;
}

describe('the tools that people have', () => {
  let node: RunningNode;
  let where: string[];

  before(async () => {
    node = await startNode(0);
    const { host, port } = parseAddress(node.address);
    where = [host, String(port)];
  });
  after(() => node.close());

  it('nc -N sends a file of lines and prints every reply, then ends', async function () {
    if (!isInstalled('nc')) this.skip();
    if (!spawnSync('nc', ['-h'], { encoding: 'utf8' }).stderr.includes('-N')) this.skip(); // another netcat
    const sets = Array.from({ length: 1_000 }, (_, n) => `{"op":"set","key":"/nc/${n}","value":"ä"}\n`);
    const output = await run('nc', ['-N', ...where], `${sets.join('')}{"op":"list","prefix":"/nc/"}\nping`);
    const replies = output
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line));
    expect(replies).to.have.length(1_002);
    expect(replies.every(reply => reply.ok)).to.equal(true);
    expect(replies[1_000].keys).to.have.length(1_000);
  });

  it('telnet, with its \\r\\n and a person who types words', async function () {
    if (!isInstalled('telnet')) this.skip();
    const typed = 'ping\n{"op":"set","key":"/telnet","value":"hi"}\n{"op":"get","key":"/telnet"}\nquit\n';
    const output = await run('telnet', where, typed);
    const replies = output
      .split(/\r?\n/)
      .filter(line => line.startsWith('{'))
      .map(line => JSON.parse(line));
    expect(replies.map(reply => reply.ok)).to.deep.equal([true, true, true, true]);
    expect(replies[0].pong).to.equal(true);
    expect(replies[2].value).to.equal('hi');
  });
});
