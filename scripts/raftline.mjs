// The way in for `npm start`, `npm test`, `npm run check` and the rest: makes a fresh clone ready (packages,
// build), saying what it does, then runs what was asked for. Plain JavaScript, because it runs before any build.
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, constants } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const say = text => console.error(`raftline: ${text}`);

/** Says it, and ends with this status. */
function fail(text, status = 1) {
  say(text);
  process.exit(status);
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  fail(
    `needs Node 20.19 or newer, and this is ${process.versions.node}: see https://nodejs.org, or nvm install 20`,
  );
}

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...path) => join(root, ...path);
const sources = ['src', 'stages', 'client', 'lab', 'bin', 'test', 'bench'];
const stamp = at('dist', '.built');
const lock = at('.raftline', 'lock');

/**
 * Runs a command with our own terminal, hands signals on to it, and resolves with its exit status. As a group, signals
 * go to all that it has started as well, and what is left of that when it has ended is killed.
 */
function status(command, args, { isGroup = false } = {}) {
  return new Promise(resolve => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', detached: isGroup });
    let handedOn;
    const handOn = signal => {
      handedOn = signal;
      // Ctrl-C in a terminal reaches the child as well as us; a second one would cut its shutdown short.
      if (isGroup) killGroup(child, signal);
      else if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    };
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, handOn);
    const done = code => {
      for (const signal of signals) process.off(signal, handOn);
      if (isGroup) killGroup(child, 'SIGKILL');
      resolve(code);
    };
    child.on('error', error => {
      say(`cannot run ${command}: ${error.message}`);
      done(127);
    });
    child.on('exit', (code, signal) => {
      // A test runner that was interrupted may end as if all were well.
      const cause = isGroup && handedOn !== undefined ? handedOn : signal;
      done(cause === null ? code : 128 + constants.signals[cause]);
    });
  });
}

/** Signals the processes of the group that a child leads; there may be none any more. */
function killGroup({ pid }, signal) {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Runs a tool of node_modules; ends this process with its status unless that is 0. */
async function tool(name, ...args) {
  endUnlessZero(await status(process.execPath, [at('node_modules', name), ...args]));
}

function endUnlessZero(code) {
  if (code !== 0) process.exit(code);
}

/** Every file below a folder, as paths relative to the root. */
function files(folder) {
  if (!existsSync(at(folder))) return [];
  return readdirSync(at(folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => relative(root, join(entry.parentPath, entry.name)));
}

const time = path => (existsSync(path) ? statSync(path).mtimeMs : 0);

/** The packages of a lock file: path to what it says of it; none when it is missing or broken. */
function packages(path) {
  try {
    return Object.entries(JSON.parse(readFileSync(path, 'utf8')).packages).filter(([name]) => name !== '');
  } catch {
    return [];
  }
}

/** Whether node_modules holds what the lock file says, each package in its version and none of them lost since. */
function isInstalled() {
  const there = new Map(packages(at('node_modules', '.package-lock.json')));
  return (
    packages(at('package-lock.json')).every(
      ([path, { version, optional }]) => optional || there.get(path)?.version === version,
    ) && [...there.keys()].every(path => existsSync(at(path, 'package.json')))
  );
}

async function install() {
  say('installing packages (npm ci), once');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const flags = ['--no-fund', '--no-audit', '--include=dev', '--ignore-scripts', '--loglevel=error'];
  const code = await status(npm, ['ci', ...flags]);
  if (code > 128) process.exit(code);
  if (code !== 0)
    fail('the packages are not installed. This needs npm and, once, its registry: go online and try again');
}

const wantedSources = () => sources.flatMap(files).filter(file => file.endsWith('.ts'));
const outputOf = file => at('dist', file.replace(/(?<!\.d)\.ts$/, '.js'));

/** Whether the last build is whole, and no source is newer than it or has come or gone since. */
function isBuilt() {
  const built = time(stamp);
  const wanted = wantedSources();
  return (
    built > 0 &&
    readFileSync(stamp, 'utf8') === wanted.sort().join('\n') &&
    [...wanted, 'tsconfig.json', 'package-lock.json'].every(file => time(at(file)) <= built) &&
    wanted.every(file => existsSync(outputOf(file)))
  );
}

async function build(isForced) {
  say('building (tsc)');
  const wanted = wantedSources();
  // Without its stamp a build counts as unfinished, whatever happens to it or to us.
  rmSync(stamp, { force: true });
  // What the compiler noted would make it skip files that have been deleted from dist.
  if (isForced || !wanted.every(file => existsSync(outputOf(file))))
    rmSync(at('dist', '.tsbuildinfo'), { force: true });
  const known = new Set(wanted);
  for (const file of files('dist')) {
    const source = relative('dist', file).replace(/(\.d)?\.(ts|js)(\.map)?$/, '.ts');
    if (/\.(ts|js)(\.map)?$/.test(file) && !known.has(source)) rmSync(at(file));
  }
  const began = new Date();
  await tool('typescript/bin/tsc', '-p', '.');
  chmodSync(at('dist', 'bin', 'raftline.js'), 0o755); // npm does so only when it first links it
  writeFileSync(stamp, wanted.sort().join('\n'));
  utimesSync(stamp, began, began); // a source saved while the compiler ran counts as newer than this build
}

/** Installs and builds what is missing. Of several such processes one does it, and the others wait. */
async function makeReady(isForced) {
  if (!isForced && isInstalled() && isBuilt()) return;
  const release = await takeLock();
  if (!isInstalled()) await install();
  if (isForced || !isBuilt()) await build(isForced);
  release();
}

/** Resolves with what releases the lock, which the end of this process does too. */
async function takeLock() {
  mkdirSync(dirname(lock), { recursive: true });
  // A link appears at once and with its content, so nobody reads a lock without a name on it.
  const mine = `${lock}.${process.pid}`;
  writeFileSync(mine, String(process.pid));
  for (let isFirst = true; ; isFirst = false) {
    try {
      linkSync(mine, lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!isHeld()) rmSync(lock, { force: true });
    else if (isFirst) say('another process installs or builds: waiting for it');
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  rmSync(mine);
  const release = () => rmSync(lock, { force: true });
  process.on('exit', release);
  return () => {
    process.off('exit', release);
    release();
  };
}

/** Whether the process that took the lock is still there; after ten minutes its number may be another's. */
function isHeld() {
  try {
    if (Date.now() - statSync(lock).mtimeMs > 600_000) return false;
    process.kill(Number(readFileSync(lock, 'utf8')), 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Goes on as `raftline` in this process, so that its signals, its terminal and its exit status are ours. */
async function become(program, args) {
  endWithNpm();
  process.argv = [process.execPath, program, ...args];
  await import(pathToFileURL(program));
}

/** npm can be killed without a word to what it runs. */
function endWithNpm() {
  if (process.env.npm_lifecycle_event === undefined) return;
  const npm = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === npm) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, 500).unref();
}

/** Folders of tests, in the order to begin with: those that take longest first, so that none is left alone at the end. */
const LONG = ['simulation', 'chaos', 'client-recipes', 'lab'];

/** By length, as far as it is known: the later a stage, the more it has to try. */
function longestFirst(folders) {
  const place = name => (LONG.includes(name) ? LONG.indexOf(name) : LONG.length);
  return folders.toSorted((a, b) => place(a) - place(b) || b.localeCompare(a, 'en', { numeric: true }));
}

/** Files of tests that run side by side: most of what they do is to wait. */
const JOBS = availableParallelism() + 1;

async function test(words, flags) {
  const known = readdirSync(at('test'), { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(entry => entry.name);
  const wanted = words.map(word => {
    const suite = known.find(name => name === word || (/^\d+$/.test(word) && name.startsWith(`${word}-`)));
    if (!suite) fail(`there is no suite ${word} yet: ${known.join(', ')}`, 2);
    return suite;
  });
  const specs = longestFirst(wanted.length > 0 ? wanted : known).flatMap(folder =>
    files(join('dist', 'test', folder))
      .filter(file => file.endsWith('.test.js'))
      .sort(),
  );
  const ways = specs.length > 1 ? ['--parallel', '--jobs', String(JOBS)] : [];
  endWithNpm();
  const mocha = [at('node_modules', 'mocha', 'bin', 'mocha.js'), ...ways, ...specs, ...flags];
  endUnlessZero(await status(process.execPath, mocha, { isGroup: true }));
}

async function check() {
  await tool('typescript/bin/tsc', '-p', '.', '--noEmit', '--incremental', 'false');
  await tool('@biomejs/biome/bin/biome', 'ci', '.');
  await tool('mocha/bin/mocha.js', 'dist/test/repository/layers.test.js');
}

const usage = `usage: node scripts/raftline.mjs COMMAND
  start [STAGE] [FLAGS]     a cluster of real nodes on this machine, with a prompt (raftline lab)
  test [STAGE…] [FLAGS]     the suites of these stages, or of all, files side by side; flags go to mocha
  check                     types, lint, format, layers
  bench [FLAGS]             measurements, side by side
  sim [FLAGS]               whole clusters in a simulated world; see sim --help
  chaos [FLAGS]             real clusters, and every fault that can be made here; see chaos --help
  build [--force]           compile what has changed`;

const [command, ...rest] = process.argv.slice(2);
const commands = {
  start: () => become(at('dist/bin/raftline.js'), ['lab', ...rest]),
  test: () => {
    const first = rest.findIndex(word => word.startsWith('-'));
    const split = first === -1 ? rest.length : first;
    return test(rest.slice(0, split), rest.slice(split));
  },
  check,
  bench: () => become(at('dist/bench/bench.js'), rest),
  sim: () => become(at('dist/test/simulator/main.js'), rest),
  chaos: () => become(at('dist/test/chaos/main.js'), rest),
  build: () => {},
};
if (!Object.hasOwn(commands, command ?? '')) {
  console.error(usage);
  process.exit(command === '--help' ? 0 : 2);
}
await makeReady(command === 'build' && rest.includes('--force'));
await commands[command]();
