import type { Tally } from './history.ts';
import { ALL_DEEDS, type Deed } from './operator.ts';
import { ALL_FAULTS, type Fault } from './storm.ts';
import type { Result, Task } from './worker.ts';

/** What many seeds came to, on one page. */
export class Summary {
  readonly findings: Result[] = [];
  #seeds = 0;
  #seconds = 0;
  #took = 0;
  #turns = 0;
  #elections = 0;
  #restores = 0;
  #told = 0;
  #resumed = 0;
  #configurations = 0;
  #restarts = 0;
  #entries = 0;
  #searched = 0;
  readonly #tally: Tally = { done: 0, conflict: 0, unknown: 0, refused: 0, stale: 0 };
  readonly #faults = new Map<Fault | Deed, number>();

  get seeds(): number {
    return this.#seeds;
  }

  add(result: Result): void {
    const { run, finding, took } = result;
    if (finding !== undefined) this.findings.push(result);
    if (run === undefined) return;
    this.#seeds += 1;
    this.#seconds += run.seconds;
    this.#took += took;
    this.#turns += run.turns;
    this.#elections += run.elections;
    this.#restores += run.restores;
    this.#told += run.told;
    this.#resumed += run.resumed;
    this.#configurations += run.configurations;
    this.#restarts += run.restarts;
    this.#entries += run.entries;
    this.#searched += run.searched;
    for (const kind of Object.keys(this.#tally) as (keyof Tally)[]) this.#tally[kind] += run.tally[kind];
    for (const [fault, count] of [...run.faults, ...run.deeds])
      this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + count);
  }

  get text(): string {
    const { done, conflict, unknown, refused, stale } = this.#tally;
    const count = (value: number) => value.toLocaleString('en');
    const faults = [...ALL_FAULTS, ...ALL_DEEDS].map(
      fault => `  ${fault.padEnd(16)}${count(this.#faults.get(fault) ?? 0).padStart(9)}`,
    );
    const cost = this.#took / 1_000 / Math.max(this.#seconds / 60, 1e-9);
    return [
      `${count(this.#seeds)} seeds, ${(this.#seconds / 3_600).toFixed(1)} simulated hours (a simulated minute took ${cost.toFixed(2)} s of a core)`,
      `${count(this.#elections)} elections, ${count(this.#restarts)} restarts after crashes, ${count(this.#entries)} entries committed, ${count(this.#turns)} callbacks checked`,
      `${count(this.#configurations)} changes of the members committed, ${count(this.#restores)} logs replaced by snapshots`,
      `operations: ${count(done)} done, ${count(conflict)} conflicts, ${count(stale)} stale reads, ${count(refused)} refused, ${count(unknown)} with unknown outcome`,
      `watchers: told of ${count(this.#told)} revisions, resumed ${count(this.#resumed)} times`,
      `histories: searched by the checker of linearizability in ${count(this.#searched)} steps`,
      'faults, and what an operator did:',
      ...faults,
      this.findings.length === 0 ? 'nothing was violated' : `${this.findings.length} seeds FAILED`,
    ].join('\n');
  }
}

/** What a task is, in a few words. */
export function nameOf(task: Task): string {
  if (task.kind === 'seed') return `seed ${task.seed}`;
  return task.kind === 'scenario' ? task.name : `${task.file}: ${task.title}`;
}

/** What broke, and how to see it happen again. */
export function describeFinding({ task, finding }: Result): string {
  const flags = task.kind === 'seed' ? `--seed ${task.seed}` : `--scenario "${nameOf(task)}"`;
  return `FAILED ${nameOf(task)}: ${finding?.message}\n  replay: npm run sim -- ${flags} --trace`;
}
