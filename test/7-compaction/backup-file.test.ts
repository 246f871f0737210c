import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { imageOf } from '../../src/kv/image.ts';
import { Store } from '../../src/kv/store.ts';
import { SnapshotSource } from '../../src/node/snapshot-records.ts';
import { NO_CONFIGURATION } from '../../src/raft/configuration.ts';
import { raftline, startProgram } from '../1-client/program.ts';
import { type Heard, OK, refusal, reply, type Scripted, scripted } from '../1-client/servers.ts';
import { eventually } from '../shared/cluster.ts';

/** What a backup of an empty store is. */
const TEXT = (() => {
  const position = { index: 1, term: 1 };
  const head = { ...position, configuration: NO_CONFIGURATION, base: position };
  return new SnapshotSource(head, imageOf(new Store())).take(() => false);
})();
const CHUNK = `${JSON.stringify({ chunk: TEXT })}\n`;
const DONE = `${JSON.stringify({ ok: true, rev: 1, applied: 1, hash: 'abc' })}\n`;

/** Where a backup is written to, from a server that does as a node would. */
describe('the file of a backup', function () {
  this.timeout(30_000);
  let folder: string;
  let file: string;
  let node: Scripted;
  const servers: Scripted[] = [];

  async function served(...how: Parameters<typeof scripted>): Promise<Scripted> {
    const server = await scripted(...how);
    servers.push(server);
    return server;
  }
  function act({ op, id }: Heard, socket: Socket): void {
    if (op === 'backup') socket.write(CHUNK + DONE);
    else reply(socket, id, OK);
  }
  const backUp = (path: string, address = node.address) => raftline(['backup', path, '--address', address]);
  const asked = () => node.heard.filter(({ op }) => op === 'backup').length;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    file = join(folder, 'all.ndjson');
    node = await served(act);
  });
  afterEach(async () => {
    await Promise.all(servers.splice(0).map(server => server.close()));
    rmSync(folder, { recursive: true, force: true });
  });

  it('is only for its user, and takes the place of the one before', async () => {
    writeFileSync(file, 'old', { mode: 0o644 });
    writeFileSync(`${file}.tmp`, 'mine', { mode: 0o644 });
    expect(await backUp(file)).to.include({ status: 0, err: '' });
    expect(readFileSync(file, 'utf8')).to.equal(TEXT);
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    expect(readFileSync(`${file}.tmp`, 'utf8')).to.equal('mine');
    expect(readdirSync(folder)).to.have.members(['all.ndjson', 'all.ndjson.tmp']);
  });

  it('may be made by two at a time', async () => {
    const ends = await Promise.all([backUp(file), backUp(file)]);
    for (const end of ends) expect(end, end.err).to.include({ status: 0, err: '' });
    expect(readFileSync(file, 'utf8')).to.equal(TEXT);
    expect(readdirSync(folder)).to.deep.equal(['all.ndjson']);
  });

  it('is where a symbolic link leads, whether something is there or not', async () => {
    mkdirSync(join(folder, 'far'));
    symlinkSync('far/target', file);
    for (const _ of ['first', 'again']) {
      expect(await backUp(file)).to.include({ status: 0, err: '' });
      expect(readlinkSync(file)).to.equal('far/target');
      expect(readFileSync(join(folder, 'far/target'), 'utf8')).to.equal(TEXT);
      rmSync(join(folder, 'far/target'));
      writeFileSync(join(folder, 'far/target'), 'old');
    }
    expect(readdirSync(join(folder, 'far'))).to.deep.equal(['target']);
  });

  it('may be a pipe or a device, which stays what it is', async () => {
    expect(spawnSync('mkfifo', [file]).status).to.equal(0);
    const [read, ran] = await Promise.all([readFile(file, 'utf8'), backUp(file)]);
    expect(ran, ran.err).to.include({ status: 0, err: '' });
    expect(read).to.equal(TEXT);
    expect(lstatSync(file).isFIFO()).to.equal(true);
    // A link to it: were it replaced after all, the machine would not miss it.
    const device = join(folder, 'device');
    symlinkSync('/dev/null', device);
    expect(await backUp(device)).to.include({ status: 0, err: '' });
    expect(lstatSync('/dev/null').isCharacterDevice()).to.equal(true);
    symlinkSync('/dev/full', join(folder, 'full'));
    const full = await backUp(join(folder, 'full'));
    expect(full).to.include({ status: 2, out: '' });
    expect(full.err).to.include('backup: ').and.include('/full finds the disk full (ENOSPC)');
  });

  it('may be standard output, which then has nothing else', async () => {
    const { status, out, err } = await backUp('/dev/stdout');
    expect(status, err).to.equal(0);
    expect(out).to.equal(TEXT);
    expect(err).to.include('/dev/stdout: revision 1');
  });

  it('may be told of in JSON: the reply with its hash, or the refusal', async () => {
    const args = ['backup', file, '--json', '--address'];
    expect(await raftline([...args, node.address])).to.deep.equal({ status: 0, out: DONE, err: '' });
    const refuses = await served(({ op, id }, socket) => {
      reply(socket, id, op === 'backup' ? refusal('BUSY', true, true) : OK);
    });
    const { status, out, err } = await raftline([...args, refuses.address]);
    expect(status).to.equal(3);
    expect(JSON.parse(out).error).to.include({ code: 'BUSY' });
    expect(err).to.include('(BUSY)');
  });

  it('is refused before a node is asked, when it cannot be one', async () => {
    symlinkSync('circle', join(folder, 'circle'));
    for (const [path, words] of [
      [folder, `backup: ${folder} is a directory: name a file`],
      [`${file}/`, `backup: ${file}/ does not name a file`],
      [join(folder, 'none', 'a'), `${join(folder, 'none', 'a')} is not there (ENOENT)`],
      [join(folder, 'circle'), 'circle leads in a circle of symbolic links (ELOOP)'],
      [join(folder, 'a'.repeat(300)), 'has a name that is too long (ENAMETOOLONG)'],
    ] as const) {
      const { status, err } = await backUp(path);
      expect(status, err).to.equal(2);
      expect(err)
        .to.include(words)
        .and.match(/^raftline: .+\n$/);
    }
    expect(asked()).to.equal(0);
    expect(readdirSync(folder)).to.deep.equal(['circle']);
  });

  it('that goes to standard output is not whole when its reader has gone, and the exit status says so', async () => {
    let begin = () => {};
    node = await served(({ op, id }, socket) => {
      if (op !== 'backup') reply(socket, id, OK);
      else begin = () => void socket.write(CHUNK + DONE);
    });
    const child = startProgram(['backup', '/dev/stdout', '--address', node.address]);
    let words = '';
    child.stderr.on('data', text => {
      words += text;
    });
    await eventually('it is under way', () => asked() === 1);
    child.stdout.destroy();
    begin();
    const [status] = await once(child, 'close');
    expect([status, words]).to.satisfy(() => status !== 0 && words.startsWith('raftline: backup'));
  });

  it('is not left half, by a signal or by a node that breaks off', async () => {
    node = await served(({ op, id }, socket) => {
      if (op === 'backup') socket.write(CHUNK);
      else reply(socket, id, OK);
    });
    writeFileSync(file, 'old');
    for (const [at, signal] of (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).entries()) {
      const child = startProgram(['backup', file, '--address', node.address]);
      await eventually('it is under way', async () => asked() === at + 1);
      expect(readdirSync(folder)).to.have.length(2);
      child.kill(signal);
      expect(await once(child, 'exit')).to.deep.equal([null, signal]);
      expect(readdirSync(folder)).to.deep.equal(['all.ndjson']);
    }
    const half = CHUNK.slice(0, -5);
    for (const last of [CHUNK, `${CHUNK}${half}`, half]) {
      node = await served(({ op, id }, socket) => {
        if (op === 'backup') socket.end(last);
        else reply(socket, id, OK);
      });
      const broken = await backUp(file);
      expect(broken).to.include({ status: 3, out: '' });
      expect(broken.err).to.include('broke off in the middle');
      expect(readdirSync(folder)).to.deep.equal(['all.ndjson']);
    }
    expect(readFileSync(file, 'utf8')).to.equal('old');
    expect(existsSync(`${file}.tmp`)).to.equal(false);
  });

  it('comes from the next node when the first takes connections and says nothing', async () => {
    const mute = await served(null);
    const ran = await backUp(file, `${mute.address},${node.address}`);
    expect(ran, ran.err).to.include({ status: 0, err: '' });
    expect(readFileSync(file, 'utf8')).to.equal(TEXT);
    const alone = await backUp(join(folder, 'none'), mute.address);
    expect(alone).to.include({ status: 3, out: '' });
    expect(alone.err).to.include(`${mute.address} did not answer within`);
  });

  it('begins anew at the next node, but not where something has gone out', async () => {
    const broken = await served(({ op, id }, socket) => {
      if (op === 'backup') socket.end(CHUNK);
      else reply(socket, id, OK);
    });
    const both = `${broken.address},${node.address}`;
    expect(await backUp(file, both)).to.include({ status: 0, err: '' });
    expect(readFileSync(file, 'utf8')).to.equal(TEXT);
    const { status, out, err } = await backUp('/dev/stdout', both);
    expect({ status, out }).to.deep.equal({ status: 3, out: TEXT });
    expect(err).to.include('broke off in the middle');
  });
});
