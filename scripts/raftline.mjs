// The way in for `npm start`, `npm test`, `npm run check` and the rest: makes a fresh clone ready (packages,
// build), saying what it does, then runs what was asked for. Plain JavaScript, because it runs before any build.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = ['src', 'stages', 'client', 'lab', 'bin', 'test', 'bench'];
const stamp = join(root, 'dist', '.built');

const say = text => console.error(`raftline: ${text}`);

/** Runs a command with our own terminal; ends this process with its status unless that is 0. */
function run(command, args) {
  const { status, error, signal } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error) {
    say(`cannot run ${command}: ${error.message}`);
    process.exit(1);
  }
  if (status !== 0) process.exit(status ?? (signal === 'SIGINT' ? 130 : 1));
}

const tool = (name, ...args) => run(process.execPath, [join(root, 'node_modules', name), ...args]);

/** Every file below a folder, as paths relative to the root. */
function files(folder) {
  const from = join(root, folder);
  if (!existsSync(from)) return [];
  return readdirSync(from, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => relative(root, join(entry.parentPath, entry.name)));
}

const time = path => (existsSync(path) ? statSync(path).mtimeMs : 0);

function install() {
  const installed = time(join(root, 'node_modules', '.package-lock.json'));
  if (installed >= time(join(root, 'package-lock.json')) && installed > 0) return;
  say('installing packages (npm ci), once');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  run(npm, ['ci', '--no-fund', '--no-audit', '--include=dev', '--ignore-scripts', '--loglevel=error']);
}

/** Compiles when a source is newer than the last build, or has gone; what a gone source left in dist goes too. */
function build(force) {
  const wanted = new Set(sources.flatMap(files).filter(file => file.endsWith('.ts')));
  const built = time(stamp);
  const stale = [...wanted, 'tsconfig.json', 'package-lock.json'].some(
    file => time(join(root, file)) > built,
  );
  const last = built ? readFileSync(stamp, 'utf8') : '';
  const now = [...wanted].sort().join('\n');
  if (!force && !stale && last === now) return;
  say('building (tsc)');
  for (const file of files('dist')) {
    const source = relative('dist', file).replace(/(\.d)?\.(ts|js)(\.map)?$/, '.ts');
    if (/\.(ts|js)(\.map)?$/.test(file) && !wanted.has(source)) rmSync(join(root, file));
  }
  const began = new Date();
  tool('typescript/bin/tsc', '-p', '.');
  writeFileSync(stamp, now);
  utimesSync(stamp, began, began); // a source saved while the compiler ran counts as newer than this build
}

function test(stages, flags) {
  const known = readdirSync(join(root, 'stages'));
  const suites = stages.map(stage => {
    const suite = known.find(name => name.startsWith(`${stage}-`));
    if (!suite) {
      say(`there is no stage ${stage} yet: ${known.join(', ')}`);
      process.exit(2);
    }
    return `dist/test/${suite}/**/*.test.js`;
  });
  const specs = suites.length > 0 ? suites : ['dist/test/**/*.test.js'];
  tool('mocha/bin/mocha.js', ...specs, ...flags);
}

function check() {
  tool('typescript/bin/tsc', '-p', '.', '--noEmit', '--incremental', 'false');
  tool('@biomejs/biome/bin/biome', 'ci', '.');
  tool('mocha/bin/mocha.js', 'dist/test/repository/layers.test.js');
}

const usage = `usage: node scripts/raftline.mjs COMMAND
  start [STAGE] [FLAGS]     a cluster of real nodes on this machine, with a prompt (raftline lab)
  test [STAGE…] [FLAGS]     the suites of these stages, or of all; flags go to mocha
  check                     types, lint, format, layers
  bench [FLAGS]             measurements, side by side
  build [--force]           compile what has changed`;

const [command, ...rest] = process.argv.slice(2);
const commands = {
  start: () => run(process.execPath, ['dist/bin/raftline.js', 'lab', ...rest]),
  test: () => {
    const first = rest.findIndex(word => word.startsWith('-'));
    const split = first === -1 ? rest.length : first;
    test(rest.slice(0, split), rest.slice(split));
  },
  check,
  bench: () => run(process.execPath, ['dist/bench/bench.js', ...rest]),
  build: () => {},
};
if (!Object.hasOwn(commands, command ?? '')) {
  console.error(usage);
  process.exit(command === '--help' ? 0 : 2);
}
install();
build(command === 'build' && rest.includes('--force'));
commands[command]();
