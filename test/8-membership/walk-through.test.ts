import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { raftline as run } from '../1-client/program.ts';
import { Program } from '../lab/processes.ts';
import { eventually } from '../shared/cluster.ts';
import { freeAddresses } from '../shared/free-ports.ts';

describe('the life of a cluster, from processes and the command line alone', function () {
  this.timeout(120_000);
  let data: string;
  const programs: Program[] = [];
  let addresses: readonly string[];

  beforeEach(async () => {
    data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    addresses = await freeAddresses(5);
  });
  afterEach(async () => {
    await Promise.all(programs.splice(0).map(program => program.end()));
    rmSync(data, { recursive: true, force: true });
  });

  const at = (index: number) => addresses[index] ?? '';

  /** Starts a node with an id, at one of the addresses, on a data directory of its own. */
  async function serve(id: string, index: number, ...flags: string[]): Promise<Program> {
    const own = ['--id', id, '--listen', at(index), '--data', join(data, id)];
    const program = new Program(['serve', ...own, ...flags]);
    programs.push(program);
    await program.says(/ listens on /);
    return program;
  }

  /** What a verb prints; it has to succeed. */
  async function raftline(...args: string[]): Promise<string> {
    const { status, out, err } = await run(args);
    expect(status, `${args.join(' ')}: ${out}${err}`).to.equal(0);
    return out;
  }

  async function roles(index = 0): Promise<Record<string, string>> {
    const out = await raftline('members', '--address', at(index));
    return Object.fromEntries(
      out
        .trim()
        .split('\n')
        .map(line => line.split('\t'))
        .map(([id, , role]) => [id, role]),
    );
  }

  it('two nodes wait, init makes them a cluster, and a third is added as a learner and promoted', async () => {
    const nodes = await Promise.all(['1', '2', '3'].map((id, index) => serve(id, index)));
    await Promise.all(nodes.map(node => node.says(/ waits for a cluster: let one add it/)));
    await raftline('init', '--address', at(0), '--nodes', `1=http://${at(0)},2=http://${at(1)}`);
    await eventually('it takes changes', async () => {
      return (await run(['set', '/app/name', 'confer', '--address', at(0)])).status === 0;
    });
    await raftline('add-learner', '--address', at(0), '--node', `3=http://${at(2)}`);
    expect(await roles()).to.deep.equal({ 1: 'voter', 2: 'voter', 3: 'learner' });
    await raftline('change-membership', '--address', at(1), '--members', '1,2,3');
    expect(await roles()).to.deep.equal({ 1: 'voter', 2: 'voter', 3: 'voter' });
    expect(await raftline('get', '/app/name', '--address', at(2))).to.equal('confer\n');
    // Three voters: any one of them may be lost.
    await programs[0]?.end();
    await eventually('the others go on', async () => {
      return (await run(['set', '/app/name', 'raftline', '--address', at(1)])).status === 0;
    });
    await raftline('remove-node', '1', '--address', at(1));
    expect(await roles(1)).to.deep.equal({ 2: 'voter', 3: 'voter' });
  });

  it('a node that is started at another address than its cluster looks for it says so, and how to tell them', async () => {
    const nodes = `n1=${at(0)},n2=${at(1)}`;
    await serve('n1', 0, '--nodes', nodes);
    const moved = await serve('n2', 1, '--nodes', nodes);
    await eventually(
      'they lead',
      async () => (await run(['set', '/a', '1', '--address', at(0)])).status === 0,
    );
    expect(moved.errors).to.equal('');
    await moved.end();
    const there = await serve('n2', 2, '--nodes', nodes);
    expect(there.errors).to.contain(`n2 listens on ${at(2)}, and its cluster looks for it at ${at(1)}`);
    const { out } = await run(['status', '--address', at(2)]);
    expect(out).to.contain(`raftline add-learner --node n2=${at(2)} tells them`);
  });

  it('a mistyped address changes nothing, and says so', async () => {
    await serve('1', 0, '--nodes', `1=${at(0)}`);
    await eventually(
      'it leads',
      async () => (await run(['set', '/a', '1', '--address', at(0)])).status === 0,
    );
    const wrong = await run(['add-learner', '--address', at(0), '--node', `2=${at(4)}`]);
    expect(wrong.status).to.equal(3);
    expect(wrong.err).to.contain('NODE_UNREACHABLE').and.contain(at(4));
    expect(await roles()).to.deep.equal({ 1: 'voter' });
    const unknown = await run(['change-membership', '--address', at(0), '--members', '1,7']);
    expect(unknown.status).to.equal(2);
    expect(unknown.err).to.contain('UNKNOWN_NODE').and.contain('7');
  });

  it('serve --join takes two nodes in at once, as voters; a restart with the same flags is harmless', async () => {
    await serve('n1', 0, '--nodes', `n1=${at(0)}`);
    await eventually(
      'it leads',
      async () => (await run(['set', '/a', '1', '--address', at(0)])).status === 0,
    );
    const joining = await Promise.all([
      serve('n2', 1, '--join', at(0)),
      serve('n3', 2, '--join', `${at(4)},${at(0)}`),
    ]);
    await Promise.all(joining.map(program => program.says(/is a voter now/)));
    expect(await roles(2)).to.deep.equal({ n1: 'voter', n2: 'voter', n3: 'voter' });
    await joining[0]?.end();
    const again = await serve('n2', 1, '--join', at(0));
    await eventually('it is back', async () => {
      const status = JSON.parse(await raftline('status', '--json', '--address', at(1)));
      return status.role === 'follower' || status.role === 'leader';
    });
    expect(await raftline('get', '/a', '--address', at(1))).to.equal('1\n');
    again.child.kill('SIGTERM');
    expect((await again.exit).status).to.equal(0);
  });

  it('serve says at the old address, too, that a node has lost its data; --join ends it', async () => {
    await serve('n1', 0, '--nodes', `n1=${at(0)}`);
    await eventually(
      'it leads',
      async () => (await run(['set', '/a', '1', '--address', at(0)])).status === 0,
    );
    await (await serve('n2', 1, '--join', at(0))).says(/is a voter now/);
    const third = await serve('n3', 2, '--join', at(0));
    await third.says(/is a voter now/);
    await third.end();
    rmSync(join(data, 'n3'), { recursive: true });
    const words =
      'n3 has lost its data, and with it the votes it gave: remove it with remove-node, then add it';
    const waits = await serve('n3', 2);
    await waits.says(new RegExp(words));
    await waits.end();
    const own = ['--id', 'n3', '--listen', at(2), '--data', join(data, 'n3')];
    const again = new Program(['serve', ...own, '--join', at(0)]);
    programs.push(again);
    expect((await again.exit).status).to.equal(2);
    expect(again.errors).to.contain(words);
    expect(await roles()).to.deep.equal({ n1: 'voter', n2: 'voter', n3: 'voter' });
  });

  it('serve --join does not bring back a node that was removed; a person does', async () => {
    await serve('n1', 0, '--nodes', `n1=${at(0)}`);
    await eventually(
      'it leads',
      async () => (await run(['set', '/a', '1', '--address', at(0)])).status === 0,
    );
    const joined = await serve('n2', 1, '--join', at(0));
    await joined.says(/is a voter now/);
    await raftline('remove-node', 'n2', '--address', at(0));
    await joined.says(/n2 was removed from its cluster, and serves nobody/);
    expect(joined.output).not.to.include('waits for a cluster');
    expect((await run(['status', '--address', at(1)])).out).to.match(/^n2 .* removed .* yes$/m);
    await joined.end();
    const own = ['--id', 'n2', '--listen', at(1), '--data', join(data, 'n2')];
    const again = new Program(['serve', ...own, '--join', at(0)]);
    programs.push(again);
    expect((await again.exit).status).to.equal(2);
    expect(again.errors).to.contain('n2 was removed from its cluster').and.contain('add-learner');
    expect(await roles()).to.deep.equal({ n1: 'voter' });
    const asked = await serve('n2', 1);
    await asked.says(/n2 was removed/);
    await raftline('add-learner', '--address', at(0), '--node', `n2=${at(1)}`);
    await asked.says(/n2 is a member of a cluster now/);
    expect(await roles()).to.deep.equal({ n1: 'voter', n2: 'learner' });
    // A learner that starts again goes on from where it was.
    await eventually('it has everything', async () => {
      return (await run(['get', '/a', '--address', at(1)])).out === '1\n';
    });
    await asked.end();
    await (await serve('n2', 1, '--join', at(0))).says(/is a voter now/);
    expect(await roles()).to.deep.equal({ n1: 'voter', n2: 'voter' });
  });

  it('serve --join into a cluster that refuses it ends with the reason', async () => {
    await serve('n1', 0, '--nodes', `n1=${at(0)}`);
    await serve('m1', 1, '--nodes', `m1=${at(1)}`);
    await eventually('they lead', async () => {
      const done = await Promise.all([0, 1].map(index => run(['set', '/a', '1', '--address', at(index)])));
      return done.every(({ status }) => status === 0);
    });
    await programs[1]?.end();
    const stranger = new Program([
      'serve',
      ...['--id', 'm1', '--listen', at(1), '--data', join(data, 'm1'), '--join', at(0)],
    ]);
    programs.push(stranger);
    expect((await stranger.exit).status).to.equal(2);
    expect(stranger.errors).to.contain('belongs to cluster').and.contain('empty data directory');
    expect(await roles()).to.deep.equal({ n1: 'voter' });
  });
});
