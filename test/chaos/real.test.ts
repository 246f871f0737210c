import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { STAGES } from '../../stages/stages.ts';
import { pause } from './caller.ts';
import { audited, change, withWorld } from './durability.ts';
import { reportOf } from './report.ts';
import { type Result, type RunOptions, runCrashPoints, runDurability, runLines } from './run.ts';
import { canTrace, Strace } from './strace.ts';
import { Trial } from './trial.ts';
import { Verdicts } from './verdicts.ts';
import { Wire } from './wire.ts';
import { World } from './world.ts';

const stage = STAGES.at(-1)?.number ?? 0;

describe('chaos on real processes', function () {
  this.timeout(180_000);
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'raftline-chaos-'));
  });

  /** Settings for a run with a seed of its own, which a failure prints. */
  const options = (nodes: number): RunOptions => {
    const seed =
      process.env.SEED === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(process.env.SEED);
    return { seed, nodes, stage, folder, say: () => {} };
  };

  function expectSound(result: Result): void {
    if (!result.verdicts.isSound) throw new Error(`\n${reportOf(result)}\n(SEED=${result.seed})`);
  }

  it('finds nothing violated in a short storm', async () => {
    const program = fileURLToPath(new URL('./main.js', import.meta.url));
    const json = join(folder, 'report.json');
    const { seed } = options(3);
    // A process of its own, since it may need a namespace of its own.
    const args = ['--minutes', '0.2', '--nodes', '3', '--seed', String(seed), '--json', json];
    const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', text => {
      output += text;
    });
    child.stderr.on('data', text => {
      output += text;
    });
    const [status] = await once(child, 'close');
    expect(status, output).to.equal(0);
    expect(output).to.contain('nothing was violated');
    const { isSound, faults, recoveries } = JSON.parse(readFileSync(json, 'utf8'));
    expect(isSound).to.equal(true);
    // How many there is time for depends on the machine.
    expect(Object.keys(faults).length).to.be.greaterThan(0);
    expect(recoveries.length).to.be.greaterThan(0);
    rmSync(folder, { recursive: true });
  });

  it('answers good lines, and stays whole, under hostile ones', async () => {
    expectSound(await runLines(options(3), 6_000));
  });

  it('sends no answer before the fsync that it rests on', async () => {
    const result = await runDurability(options(3));
    expectSound(result);
    if (result.notes.length > 0) process.stderr.write(`skipped in part: ${result.notes.join('; ')}\n`);
  });

  it('loses nothing at any point where it may crash, of those that were drawn', async () => {
    expectSound(await runCrashPoints(options(1), 2));
  });

  it('would find that a disk which only says that it syncs loses changes when the power goes', async () => {
    const verdicts = new Verdicts();
    const world = await World.start({ stage, nodes: 1, folder, verdicts });
    const trial = await Trial.begin(world, 1);
    await world.disks.order('n1', { lying: true });
    await pause(1_000);
    await world.cutPower('n1', 1);
    await world.revive(['n1']);
    await trial.recover('the loss of power');
    await trial.end();
    await trial.judge();
    await world.stop(true);
    rmSync(folder, { recursive: true });
    const failed = verdicts.all.filter(({ failures }) => failures.length > 0).map(({ name }) => name);
    expect(failed).to.include('every acknowledged change is present');
  });

  it('would find answers that leave before their fsync, by the calls to the system', async function () {
    if (!canTrace()) {
      process.stderr.write('skipped: strace cannot trace processes here\n');
      this.skip();
    }
    const verdicts = new Verdicts();
    const setting = { stage, folder, verdicts, say: () => {}, note: () => {} };
    await withWorld(setting, 'lying', 3, async (world, leader) => {
      const follower = world.ids.find(id => id !== leader) ?? '';
      await world.disks.order(follower, { lying: true });
      const trace = await Strace.attach(world.node(follower).pid ?? 0, join(folder, 'strace'));
      const wire = new Wire(world.node(leader).address);
      for (let count = 0; count < 10; count += 1) await change(wire, `m${count}`);
      wire.close();
      audited(follower, await trace.detach(), verdicts);
    });
    rmSync(folder, { recursive: true });
    const check = verdicts.all.find(
      ({ name }) => name === 'an append answer leaves after the fsync of its entries',
    );
    expect(check?.failures).to.not.deep.equal([]);
  });
});
