import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { complete } from '../../client/cli/completion.ts';
import { History } from '../../client/cli/history.ts';
import { connect } from '../../client/client.ts';
import type { RunningNode } from '../../src/node/options.ts';
import { PROGRAM, type Ran, raftline, startProgram } from './program.ts';
import { failureOf, reply, scripted, startNode } from './servers.ts';

describe('the prompt', () => {
  let node: RunningNode;
  let folder: string;

  beforeEach(async () => {
    node = await startNode();
    folder = mkdtempSync(join(tmpdir(), 'raftline-'));
  });

  afterEach(async () => {
    await node.close();
    rmSync(folder, { recursive: true });
  });

  const pipe = (...lines: string[]): Promise<Ran> =>
    raftline(['repl', '--address', node.address], { input: lines.map(line => `${line}\n`).join('') });

  it('carries out each line of a pipe and exits with the status of the last', async () => {
    const { status, out, err } = await pipe(
      'set /a 1',
      'get /a',
      '',
      '# a comment',
      'get /none',
      'set /b "two words"',
      'get /b',
    );
    expect({ status, err }).to.deep.equal({
      status: 0,
      err: `raftline: get /none at ${node.address}: there is no such key\n`,
    });
    expect(out).to.equal('/a is set, mod 1\n1\n/b is set, mod 2\ntwo words\n');
    expect((await pipe('get /a', 'get /none')).status).to.equal(1);
    expect((await pipe('get /none', ' # and nothing behind it')).status).to.equal(1);
    expect((await pipe('gte /a')).err).to.include('did you mean get?');
    expect((await pipe('set /a -')).status).to.equal(2);
    expect((await pipe('lock x -- ls')).err).to.include('run it from a shell');
  });

  it('sends a line of the protocol as it is, and prints the reply as it comes', async () => {
    const { status, out } = await pipe(
      '{"op":"set","key":"/a","value":"1"}',
      '  {"id":"mine","op":"get","key":"/a"}',
      '{"id":1,"op":"ping"}',
      '{"op":',
      '{"op":"get"}',
    );
    expect(status).to.equal(2);
    const replies = out
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
    expect(replies[0]).to.deep.equal({ ok: true, rev: 1, mod: 1 });
    expect(replies[1]).to.include({ id: 'mine', value: '1' });
    expect(replies[2]).to.include({ id: 1, pong: true });
    expect(replies[3].error.code).to.equal('BAD_JSON');
    expect(replies[4].error.code).to.equal('BAD_REQUEST');
    expect(
      (await pipe('{"op":"quit"}', '{"op":"ping"}')).status,
      'a connection that was left is opened anew',
    ).to.equal(0);
  });

  it('takes no half of a reply for one', async () => {
    const server = await scripted(({ op, id }, socket) => {
      if (op === 'get') socket.end('{"ok":true,"rev":1');
      else reply(socket, id);
    });
    try {
      const { status, out, err } = await raftline(['repl', '--address', server.address], {
        input: '{"op":"get","key":"/a"}\n',
      });
      expect({ status, out }).to.deep.equal({ status: 3, out: '' });
      expect(err).to.include('closed the connection before it answered');
    } finally {
      await server.close();
    }
  });

  it('leaves at quit, though more would come', async () => {
    const child = startProgram(['repl', '--address', node.address]);
    child.stdin.write('set /a 1\nquit\nset /a 2\n');
    const [status] = await once(child, 'exit');
    expect(status).to.equal(0);
    const client = connect(node.address);
    expect((await client.get('/a')).value).to.equal('1');
    await client.close();
  });

  it('shares one connection between its lines, and asks elsewhere when a line says so', async () => {
    const other = await startNode();
    const { out } = await pipe(
      'set /a 1',
      'get /a',
      'status --json',
      `list --address ${other.address}`,
      'help',
    );
    expect(JSON.parse(out.split('\n')[2] ?? '')).to.include({ connections: 1, keys: 1 });
    expect(out).to.not.match(/^\/a$/m);
    expect(out).to.include('help [VERB]');
    await other.close();
  });

  it('completes verbs, flags, and keys one level at a time', async () => {
    const client = connect(node.address);
    for (const key of ['/app/db', '/app/dx/1', '/app/dx/2', '/with space']) await client.set(key, 'v');
    expect(await complete(client, 'g')).to.deep.equal([['get '], 'g']);
    expect(await complete(client, 'he')).to.deep.equal([['hello ', 'help '], 'he']);
    expect(await complete(client, 'help l')).to.deep.equal([['list ', 'lease ', 'lock '], 'l']);
    expect(await complete(client, 'lease re')).to.deep.equal([['renew ', 'revoke '], 're']);
    expect(await complete(client, 'get /a')).to.deep.equal([['/app/'], '/a']);
    expect(await complete(client, 'get /app/d')).to.deep.equal([['/app/db ', '/app/dx/'], '/app/d']);
    expect(await complete(client, 'set /app/db --if')).to.deep.equal([['--if-mod ', '--if-absent '], '--if']);
    expect(await complete(client, 'set /app/db /a'), 'a value is not a key').to.deep.equal([[], '/a']);
    expect(await complete(client, 'get /w'), 'what would need quotes is left to the person').to.deep.equal([
      [],
      '/w',
    ]);
    await client.close();
    await failureOf(client.ping());
    expect(await complete(client, 'get /a'), 'no node, no keys').to.deep.equal([[], '/a']);
  });

  it('keeps its history where only its owner can read it, or does without', () => {
    const path = join(folder, 'state', 'raftline', 'history');
    const history = new History(path);
    expect(history.load()).to.deep.equal([]);
    for (const line of ['get /a', '  ', 'set /b "x y"']) history.add(line);
    expect(new History(path).load()).to.deep.equal(['set /b "x y"', 'get /a']);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    const nowhere = new History(join(path, 'below a file'));
    nowhere.add('get /a');
    expect(nowhere.load()).to.deep.equal([]);
  });

  it('is what raftline is at a terminal without a verb: history, completion, Ctrl-C and Ctrl-D', async function () {
    if (spawnSync('script', ['--version']).status !== 0) {
      process.stderr.write('      skipped: needs script (util-linux) for a pseudo-terminal\n');
      this.skip();
    }
    const command = `'${process.execPath}' '${PROGRAM}' --address ${node.address}`;
    const terminal = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
      env: { ...process.env, XDG_STATE_HOME: folder, TERM: 'xterm' },
      timeout: 15_000,
    });
    let screen = '';
    let heard: () => void = () => {};
    terminal.stdout.on('data', chunk => {
      screen += chunk;
      heard();
    });
    /** Waits until the terminal shows something, and forgets what came before. */
    const shows = async (text: string) => {
      while (!screen.includes(text)) {
        await new Promise<void>(resolve => {
          heard = resolve;
        });
      }
      screen = screen.slice(screen.indexOf(text) + text.length);
    };
    await shows('n1 answers (stage 0, single)');
    await shows(`${node.address}> `);
    terminal.stdin.write('set /app/db "my host"\r');
    await shows('/app/db is set, mod 1');
    await shows(`${node.address}> `);
    terminal.stdin.write('ge');
    await shows('ge');
    terminal.stdin.write('\t');
    await shows('t ');
    terminal.stdin.write('/a');
    await shows('/a');
    terminal.stdin.write('\t');
    await shows('pp/');
    terminal.stdin.write('\t');
    await shows('db ');
    terminal.stdin.write('\r');
    await shows('my host');
    await shows(`${node.address}> `);
    terminal.stdin.write('half a line');
    await shows('half a line');
    terminal.stdin.write('\u0003');
    await shows(`${node.address}> `);
    terminal.stdin.write('\u0003');
    await shows('quit or Ctrl-D leaves');
    await shows(`${node.address}> `);
    terminal.stdin.write('status --watch\r');
    await shows('REACHABLE');
    terminal.stdin.write('\u0003');
    await shows(`${node.address}> `);
    terminal.stdin.write('get /none\r');
    await shows('there is no such key');
    await shows(`${node.address}> `);
    terminal.stdin.write('\u0004');
    const [status] = await once(terminal, 'close');
    expect(status, 'the status of the last line').to.equal(1);
    const kept = readFileSync(join(folder, 'raftline', 'history'), 'utf8');
    expect(kept).to.equal('set /app/db "my host"\nget /app/db \nstatus --watch\nget /none\n');
  });
});
