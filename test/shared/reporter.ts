import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import Mocha, { type Hook, type MochaOptions, type Runner, type Suite, type Test } from 'mocha';

const { Base } = Mocha.reporters;
const EVENTS = Mocha.Runner.constants;
const HOME = fileURLToPath(new URL('..', import.meta.url));

/** What has come of one file of tests so far. */
class Tally {
  readonly file: string;
  passed = 0;
  failed = 0;
  skipped = 0;
  /** Milliseconds that its tests and hooks took. */
  took = 0;

  constructor(file: string) {
    this.file = file;
  }

  get line(): string {
    const { file, passed, failed, skipped, took } = this;
    const tests = passed + failed;
    const count = failed > 0 ? `${failed} of ${tests} failed` : `${tests} passed`;
    const rest = skipped > 0 ? `, ${skipped} skipped` : '';
    const time = took < 1_000 ? '' : `, ${Math.round(took / 1_000)} s`;
    const mark = failed > 0 ? Base.color('fail', Base.symbols.err) : Base.color('checkmark', Base.symbols.ok);
    return `  ${mark} ${file}: ${count}${rest}${Base.color('light', time)}`;
  }
}

/**
 * Tells of each file in a line when it is done, of each failure as soon as it is known, and of all at the end: files
 * run side by side, and what the tests of one have come to is only known when it has ended.
 */
class FileByFile extends Base {
  #tally: Tally | undefined;

  constructor(runner: Runner, options: MochaOptions) {
    super(runner, options);
    runner.on(EVENTS.EVENT_TEST_PASS, test => {
      this.#of(test).passed += 1;
    });
    runner.on(EVENTS.EVENT_TEST_PENDING, test => {
      this.#of(test).skipped += 1;
    });
    runner.on(EVENTS.EVENT_TEST_FAIL, (test, error) => {
      this.#of(test).failed += 1;
      say(`  ${Base.color('fail', `${Base.symbols.err} ${test.titlePath().join(' › ')}`)}`);
      say(`      ${firstLine(error)}`);
    });
    runner.on(EVENTS.EVENT_TEST_END, test => {
      this.#of(test).took += test.duration ?? 0;
    });
    runner.on(EVENTS.EVENT_HOOK_END, hook => {
      // One that a helper brings with it does not say whose it is; neither does it come between two files.
      const tally = hook.file === undefined ? this.#tally : this.#of(hook);
      if (tally !== undefined) tally.took += hook.duration ?? 0;
    });
    runner.on(EVENTS.EVENT_SUITE_END, (suite: Suite) => {
      if (suite.root) this.#close();
    });
    runner.once(EVENTS.EVENT_RUN_END, () => {
      this.#close();
      this.epilogue();
    });
  }

  #of({ file }: Test | Hook): Tally {
    const name = file === undefined ? 'outside any file' : relative(HOME, file).replace(/\.test\.js$/, '');
    if (this.#tally?.file === name) return this.#tally;
    this.#close();
    this.#tally = new Tally(name);
    return this.#tally;
  }

  #close(): void {
    if (this.#tally !== undefined) say(this.#tally.line);
    this.#tally = undefined;
  }
}

/** The first line that says something. From another process an error comes as an object that is like it. */
function firstLine({ stack, message }: Error): string {
  const lines = (stack ?? message).split('\n');
  return lines.find(line => !/^(\w*Error:)?\s*$/.test(line)) ?? '';
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

// biome-ignore lint/style/noDefaultExport: where Mocha looks for a reporter
export default FileByFile;
