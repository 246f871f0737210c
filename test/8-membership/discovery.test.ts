import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { raftline as run } from '../1-client/program.ts';
import { Program } from '../lab/processes.ts';
import { eventually } from '../shared/cluster.ts';
import { freeAddresses } from '../shared/free-ports.ts';

describe('discovery through a cluster that runs', function () {
  this.timeout(120_000);
  let data: string;
  const programs: Program[] = [];
  let addresses: readonly string[] = [];
  const at = (index: number) => addresses[index] ?? '';

  beforeEach(async () => {
    data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    addresses = await freeAddresses(6);
    const registry = start('registry', 0, '--nodes', `registry=${at(0)}`);
    await registry.says(/ listens on /);
    await eventually('the registry leads', async () => {
      return (await run(['set', '/a', '1', '--address', at(0)])).status === 0;
    });
  });
  afterEach(async () => {
    await Promise.all(programs.splice(0).map(program => program.end()));
    rmSync(data, { recursive: true, force: true });
  });

  function start(id: string, index: number, ...flags: string[]): Program {
    const own = ['--id', id, '--listen', at(index), '--data', join(data, id)];
    const program = new Program(['serve', ...own, ...flags]);
    programs.push(program);
    return program;
  }

  const discover = (id: string, index: number, size = 3) =>
    start(id, index, '--discovery', `${at(0)}/orders`, '--size', String(size));

  async function roles(index: number): Promise<Record<string, string>> {
    const { out } = await run(['members', '--json', '--address', at(index)]);
    const { members } = JSON.parse(out) as { members: { id: string; role: string }[] };
    return Object.fromEntries(members.map(({ id, role }) => [id, role]));
  }

  it('the first three that come found the cluster, a latecomer learns, a restarted node is recognised', async () => {
    const [a, b] = [discover('a', 1), discover('b', 2)];
    await a.says(/2 of 3 nodes are there/);
    const c = discover('c', 3);
    await Promise.all([a, b, c].map(program => program.says(/begins a cluster of/)));
    await eventually('it takes changes', async () => {
      return (await run(['set', '/order', '66', '--address', at(1)])).status === 0;
    });
    const d = discover('d', 4);
    await d.says(/is a learner now/);
    expect(await roles(1)).to.deep.equal({ a: 'voter', b: 'voter', c: 'voter', d: 'learner' });
    await eventually('the latecomer has everything', async () => {
      return (await run(['get', '/order', '--address', at(4)])).out === '66\n';
    });

    await a.end();
    await programs[0]?.end();
    const again = discover('a', 1);
    await again.says(/ listens on /);
    await eventually('it is back, though the registry is away', async () => {
      const { role } = JSON.parse((await run(['status', '--json', '--address', at(1)])).out);
      return role === 'follower' || role === 'leader';
    });
    expect((await roles(1)).a).to.equal('voter');
  });

  it('a node that lost its data does not come back under its id', async () => {
    const founders = ['a', 'b', 'c'].map((id, index) => discover(id, index + 1));
    await Promise.all(founders.map(program => program.says(/begins a cluster of/)));
    await founders[0]?.end();
    rmSync(join(data, 'a'), { recursive: true });
    const wiped = discover('a', 1);
    expect((await wiped.exit).status).to.equal(2);
    expect(wiped.errors).to.contain('lost its data').and.contain('new --id');
  });

  it('two that do not agree how many they are do not begin', async () => {
    await discover('a', 1).says(/1 of 3/);
    const other = discover('b', 2, 5);
    expect((await other.exit).status).to.equal(2);
    expect(other.errors).to.contain('a cluster of 3 nodes, not 5');
  });

  it('raftline discover lists who is there', async () => {
    const [a, b] = [discover('a', 1), discover('b', 2)];
    await Promise.all([a, b].map(program => program.says(/2 of 3/)));
    await eventually('both show themselves', async () => {
      const { status, out } = await run(['discover', `${at(0)}/orders`]);
      return status === 0 && /^a\t\S+\tfounder\tup$/m.test(out) && /^b\t\S+\tfounder\tup$/m.test(out);
    });
    await b.end();
    await eventually(
      'one is gone',
      async () => {
        return /^b\t\S+\tfounder\tdown$/m.test((await run(['discover', `${at(0)}/orders`])).out);
      },
      30_000,
    );
    const nobody = await run(['discover', `${at(0)}/nobody`]);
    expect(nobody).to.include({ status: 1, out: '' });
  });
});
