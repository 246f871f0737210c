import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { LabProgram } from '../lab/processes.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
/** What npm says when it is the network, and not the package, that is at fault. */
const OFFLINE = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|ENOTCACHED|network/;

function run(command: string, args: readonly string[], cwd: string) {
  return spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 120_000 });
}

describe('the package', function () {
  this.timeout(180_000).slow(20_000);
  let project: string;
  let files: string[];

  before(function () {
    if (spawnSync('npm', ['--version']).error !== undefined) {
      this.test?.parent?.eachTest(test => {
        test.title += ' (npm is missing here)';
      });
      this.skip();
    }
    project = mkdtempSync(join(tmpdir(), 'raftline-package-'));
    // What is in dist is what runs here, so it is packed as it is and not built again under our feet.
    const packed = run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', project], root);
    expect(packed.status, packed.stderr).to.equal(0);
    const [tarball] = JSON.parse(packed.stdout);
    files = tarball.files.map((file: { path: string }) => file.path);
    writeFileSync(join(project, 'package.json'), '{"name":"project","private":true,"type":"module"}');
    const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--fetch-retries=0'];
    const installed = run('npm', ['install', ...flags, join(project, tarball.filename)], project);
    if (installed.status !== 0 && OFFLINE.test(installed.stderr)) {
      this.test?.parent?.eachTest(test => {
        test.title += ' (the registry cannot be reached)';
      });
      this.skip();
    }
    expect(installed.status, installed.stderr).to.equal(0);
  });

  after(() => {
    if (project !== undefined) rmSync(project, { recursive: true, force: true });
  });

  it('holds what it needs, and neither tests nor sources nor notes of the compiler', () => {
    const wanted =
      /^(package\.json|LICENSE|(?:README|ROADMAP|PROTOCOL)\.md|stages\/[^/]+\/README\.md|proto\/.*\.proto)$/;
    const built = /^dist\/(bin|client|lab|src|stages)\/.*\.(js|js\.map|d\.ts)$/;
    expect(files.filter(file => !wanted.test(file) && !built.test(file))).to.deep.equal([]);
    expect(files).to.include.members(['dist/bin/raftline.js', 'dist/client/client.d.ts', 'LICENSE']);
  });

  it('has source maps whose sources are there', () => {
    const home = join(project, 'node_modules', 'raftline');
    const maps = files.filter(file => file.endsWith('.map'));
    expect(maps).not.to.have.length(0);
    const lost = maps.filter(file => {
      const { sources, sourcesContent } = JSON.parse(readFileSync(join(home, file), 'utf8'));
      const isThere = (source: string) => existsSync(normalize(join(home, dirname(file), source)));
      return !sources.every(
        (source: string, at: number) => sourcesContent?.[at] !== undefined || isThere(source),
      );
    });
    expect(lost).to.deep.equal([]);
  });

  it('brings a program that runs', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const { status, stdout, stderr } = run('npx', ['--no-install', 'raftline', '--version'], project);
    expect(status, stderr).to.equal(0);
    expect(stdout).to.equal(`${version}\n`);
  });

  it('brings a lab that starts its own nodes', () => {
    const program = join(project, 'node_modules', '.bin', 'raftline');
    const { status, stdout, stderr } = spawnSync(program, ['lab', '0'], {
      cwd: project,
      input: 'set /a 1\nget /a\nquit\n',
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect(status, stderr).to.equal(0);
    expect(stdout).to.contain('"value":"1"');
  });

  it('brings a client that connects, sets and gets', async () => {
    const lab = await LabProgram.start(['0']);
    try {
      writeFileSync(
        join(project, 'use.js'),
        `import { connect } from 'raftline';
        const client = connect(process.argv[2]);
        await client.set('/app/db', 'pg');
        const { value } = await client.get('/app/db');
        console.log(value);
        await client.close();`,
      );
      const args = ['use.js', lab.nodes[0]?.address ?? ''];
      const { status, stdout, stderr } = run(process.execPath, args, project);
      expect(status, stderr).to.equal(0);
      expect(stdout).to.equal('pg\n');
    } finally {
      await lab.end();
      await lab.nodesAreGone();
    }
  });

  it('brings types that a strict TypeScript project takes, and that find a mistake', () => {
    writeFileSync(
      join(project, 'use.ts'),
      `import { connect } from 'raftline';
      const client = connect('127.0.0.1:7001');
      export const value: string | null = (await client.get('/a')).value;
      // @ts-expect-error: a value is a string
      await client.set('/a', 1);`,
    );
    const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const flags = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--module', 'nodenext'];
    const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules', '@types')];
    const { status, stdout } = run(process.execPath, [compiler, ...flags, ...types, 'use.ts'], project);
    expect(stdout).to.equal('');
    expect(status).to.equal(0);
  });

  it('names as dependencies what the installed program imports', () => {
    const home = join(project, 'node_modules', 'raftline');
    const { dependencies } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
    const imported = new Set<string>();
    for (const path of readdirSync(join(home, 'dist'), { recursive: true, encoding: 'utf8' })) {
      if (!path.endsWith('.js')) continue;
      const text = readFileSync(join(home, 'dist', path), 'utf8');
      for (const [, name = ''] of text.matchAll(/^import\b[^'"`;]*['"]([^.'"][^'"]*)['"]/gm)) {
        if (!name.startsWith('node:')) imported.add(/^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name);
      }
    }
    expect([...imported].filter(name => !Object.hasOwn(dependencies, name))).to.deep.equal([]);
  });
});
