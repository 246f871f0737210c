import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { expect } from 'chai';
import { isAlive, until } from '../lab/processes.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const BUILDING = /building \(tsc\)/;

/** A run of scripts/raftline.mjs in a house of its own: a few sources, and the packages that are here. */
class Script {
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  #printed = '';

  constructor(house: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    const script = join(house, 'scripts', 'raftline.mjs');
    this.child = spawn(process.execPath, [script, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', chunk => {
        this.#printed += chunk;
      });
    }
    this.exit = once(this.child, 'close').then(([status]) => status);
  }

  /** What it has printed so far, without the colours that an environment may ask for (CI=true and FORCE_COLOR do). */
  get output(): string {
    return stripVTControlCharacters(this.#printed);
  }
}

describe('scripts/raftline.mjs', function () {
  this.timeout(120_000).slow(10_000);
  let house: string;

  beforeEach(() => {
    house = mkdtempSync(join(tmpdir(), 'raftline-script-'));
    for (const file of ['package.json', 'package-lock.json', 'tsconfig.json', 'scripts']) {
      cpSync(join(root, file), join(house, file), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(house, 'node_modules'));
    write('bin/raftline.ts', 'export const built: string = process.argv[1] ?? "";\n');
  });

  afterEach(() => rmSync(house, { recursive: true }));

  function write(path: string, text: string): void {
    mkdirSync(join(house, path, '..'), { recursive: true });
    writeFileSync(join(house, path), text);
  }

  async function build(...flags: string[]): Promise<string> {
    const script = new Script(house, ['build', ...flags]);
    expect(await script.exit, script.output).to.equal(0);
    return script.output;
  }

  it('builds what is missing, and then has nothing to do', async () => {
    expect(await build()).to.match(BUILDING);
    const program = join(house, 'dist/bin/raftline.js');
    expect(statSync(program).mode & 0o111, 'who may run it').to.equal(0o111);
    expect(await build()).to.equal('');
    expect(await build('--force')).to.match(BUILDING);
  });

  it('builds again what is lost from dist, and removes what has no source any more', async () => {
    write('lab/a.ts', 'export const a = 1;\n');
    write('lab/b.ts', 'export const b = 1;\n');
    await build();
    rmSync(join(house, 'dist/lab/a.js'));
    expect(await build()).to.match(BUILDING);
    expect(existsSync(join(house, 'dist/lab/a.js'))).to.equal(true);
    rmSync(join(house, 'lab/b.ts'));
    expect(await build()).to.match(BUILDING);
    expect(existsSync(join(house, 'dist/lab/b.js'))).to.equal(false);
  });

  it('fails with the compiler, each time, until the source is mended', async () => {
    write('lab/a.ts', 'export const a: string = 1;\n');
    for (const attempt of ['first', 'second']) {
      const script = new Script(house, ['build']);
      expect(await script.exit, attempt).not.to.equal(0);
      expect(script.output).to.contain('lab/a.ts');
    }
    write('lab/a.ts', 'export const a = 1;\n');
    await build();
  });

  it('lets one of several build, and the others wait for it', async () => {
    const scripts = Array.from({ length: 3 }, () => new Script(house, ['build']));
    for (const script of scripts) expect(await script.exit, script.output).to.equal(0);
    expect(scripts.filter(script => BUILDING.test(script.output))).to.have.length(1);
    expect(existsSync(join(house, '.raftline', 'lock'))).to.equal(false);
  });

  it('does not wait for a lock whose owner is gone', async () => {
    const owner = spawn(process.execPath, ['-e', '']);
    await once(owner, 'close');
    write('.raftline/lock', String(owner.pid));
    expect(await build()).to.match(BUILDING);
  });

  it('notices a package that is lost or of another version, and says what it takes to install', async () => {
    rmSync(join(house, 'node_modules'));
    const lock = JSON.parse(readFileSync(join(house, 'package-lock.json'), 'utf8'));
    write('node_modules/.package-lock.json', JSON.stringify({ packages: lock.packages }));
    // Without a PATH there is no npm, so nothing is fetched.
    const script = new Script(house, ['build'], { ...process.env, PATH: house });
    expect(await script.exit).to.equal(1);
    expect(script.output).to.contain('installing packages').and.contain('cannot run npm');
    expect(script.output).to.contain('go online and try again');
  });

  for (const [signal, status] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const) {
    it(`hands ${signal} on to the tests and what they have started, and ends with its status`, async () => {
      for (const file of ['layers', 'more']) {
        write(
          `test/repository/${file}.test.ts`,
          `import { spawn } from 'node:child_process';
          const child = spawn('sleep', ['60']);
          console.log(\`pid \${process.pid} pid \${child.pid}\`);
          it('takes long', done => void setTimeout(done, 60_000)).timeout(0);\n`,
        );
      }
      const script = new Script(house, ['test', 'repository']);
      const pids = () => [...script.output.matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));
      await until('both files run', () => pids().length === 4, 60_000);
      script.child.kill(signal);
      expect(await script.exit).to.equal(status);
      await until('all of them end', () => !pids().some(isAlive));
    });
  }

  it('tells of each file, of what failed and why, and ends with a status that says so', async () => {
    for (const file of ['.mocharc.json', 'test/shared/reporter.ts'])
      cpSync(join(root, file), join(house, file), { recursive: true });
    write('test/2-two/good.test.ts', "it('is well', () => {});\nit.skip('is for another day', () => {});\n");
    write(
      'test/1-one/bad.test.ts',
      "describe('a', () => {\n  it('is not', () => {\n    throw new Error('why');\n  });\n});\n",
    );
    const script = new Script(house, ['test']);
    expect(await script.exit, script.output).to.equal(1);
    expect(script.output)
      .to.match(/✔ 2-two\/good: 1 passed, 1 skipped/)
      .and.match(/✖ a › is not\n +Error: why\n/)
      .and.match(/✖ 1-one\/bad: 1 of 1 failed\n/)
      .and.match(/1 passing .*\n +1 pending\n +1 failing\n/)
      .and.contain('bad.test.ts:3:');
  });

  it('names the suites there are when asked for another', async () => {
    write('test/2-two/a.test.ts', 'describe("nothing", () => {});\n');
    const script = new Script(house, ['test', '3']);
    expect(await script.exit).to.equal(2);
    expect(script.output).to.contain('there is no suite 3 yet: 2-two');
  });

  it('prints its usage when it does not know the command', async () => {
    const script = new Script(house, ['strat']);
    expect(await script.exit).to.equal(2);
    expect(script.output).to.contain('usage:');
  });
});
