import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { connect as dial } from 'node:net';
import { expect } from 'chai';
import { VERBS } from '../../bin/verbs.ts';
import { promptHelp, verbHelp } from '../../client/cli/help.ts';
import { get } from '../../client/cli/keys.ts';
import { repl } from '../../client/cli/repl.ts';
import { SHELL_VERBS } from '../../client/cli/suggestions.ts';
import { CLIENT_VERBS } from '../../client/cli/verbs.ts';
import { connect } from '../../client/client.ts';
import type { RunningNode } from '../../src/node/options.ts';
import { VERSION } from '../../src/wire/version.ts';
import { PROGRAM, type Ran, type RunOptions, raftline, startProgram } from './program.ts';
import { deadAddress, refusal, reply, type Scripted, scripted, startNode } from './servers.ts';

describe('the command line', () => {
  let node: RunningNode;

  before(async () => {
    node = await startNode();
  });

  after(() => node.close());

  /** Runs a command against the node. */
  const run = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
    raftline(args, { ...options, env: { RAFTLINE_ADDRESS: node.address, ...options.env } });

  /** What the node answers to a line without the client between. */
  async function rawReply(line: string): Promise<string> {
    const [host = '', port] = node.address.split(':');
    const socket = dial(Number(port), host);
    let text = '';
    socket.on('data', chunk => {
      text += chunk;
    });
    socket.end(`${line}\n`);
    await once(socket, 'close');
    return text;
  }

  it('sets, gets, lists and removes', async () => {
    expect(await run(['set', '/app/db', 'postgres'])).to.deep.equal({
      status: 0,
      out: '/app/db is set, mod 1\n',
      err: '',
    });
    expect(await run(['get', '/app/db'])).to.deep.equal({ status: 0, out: 'postgres\n', err: '' });
    await run(['set', '/app/n', '007']);
    expect((await run(['list'])).out).to.equal('/app/db\n/app/n\n');
    expect((await run(['list', '/app/', '--values'])).out).to.equal('/app/db\tpostgres\n/app/n\t007\n');
    expect((await run(['list', '/', '--depth', '1'])).out).to.equal('/app/\n');
    expect(await run(['list', '/none'])).to.deep.equal({ status: 0, out: '', err: '' });
    expect((await run(['remove', '/app/n'])).out).to.equal('/app/n is removed\n');
    expect((await run(['remove', '/app/', '--prefix'])).out).to.equal('1 key removed\n');
  });

  it('exits with 1 when the answer is no, and says it on standard error', async () => {
    await run(['set', '/held', 'a']);
    for (const [args, words] of [
      [['get', '/absent'], `raftline: get /absent at ${node.address}: there is no such key\n`],
      [['remove', '/absent'], `raftline: remove /absent at ${node.address}: there is no such key\n`],
      [['remove', '/ab', '--prefix'], `raftline: remove /ab at ${node.address}: no key begins with /ab\n`],
      [['set', '/held', 'b', '--if-absent'], '/held exists'],
      [['set', '/held', 'b', '--if-mod', '0'], '(CONFLICT)'],
    ] as const) {
      const { status, out, err } = await run(args);
      expect({ status, out }).to.deep.equal({ status: 1, out: '' });
      expect(err).to.include(words);
      expect(err.split('\n')).to.have.length(2);
    }
  });

  it('sets under a condition that holds', async () => {
    const { mod } = JSON.parse((await run(['set', '/cas', 'a', '--if-absent', '--json'])).out);
    expect((await run(['set', '/cas', 'b', '--if-mod', String(mod)])).status).to.equal(0);
    expect((await run(['get', '/cas'])).out).to.equal('b\n');
  });

  it('prints with --json the reply line as it came, be it good or bad', async () => {
    for (const [args, line] of [
      [['get', '/held'], '{"op":"get","key":"/held","id":1}'],
      [['get', '/absent'], '{"op":"get","key":"/absent","id":1}'],
      [
        ['set', '/held', 'b', '--if-absent'],
        '{"op":"set","key":"/held","value":"b","if":{"absent":true},"id":1}',
      ],
      [['list', '/he', '--values'], '{"op":"list","prefix":"/he","values":true,"id":1}'],
      [['remove', '/absent'], '{"op":"remove","key":"/absent","id":1}'],
      [['ping'], '{"op":"ping","id":1}'],
      [['hello'], '{"op":"hello","id":1}'],
    ] as const) {
      expect((await run([...args, '--json'])).out, args.join(' ')).to.equal(await rawReply(line));
    }
    expect(JSON.parse((await run(['status', '--json'])).out)).to.include({
      ok: true,
      node: 'n1',
      role: 'single',
    });
  });

  it('reads a value of - from standard input, to the last byte', async () => {
    for (const input of ['', 'two\nlines\n', '語'.repeat(150_000)]) {
      expect((await run(['set', '/in', '-'], { input })).status).to.equal(0);
      expect((await run(['get', '/in'])).out).to.equal(`${input}\n`);
    }
    const large = await run(['set', '/in', '-'], { input: Buffer.alloc(524_289, 'x') });
    expect(large).to.include({ status: 2, out: '' });
    expect(large.err).to.include('524288 bytes');
    const bad = await run(['set', '/in', '-'], { input: Buffer.from([0x61, 0xff]) });
    expect(bad.status).to.equal(2);
    expect(bad.err).to.include('not UTF-8');
  });

  it('keeps each key and value on its line', async () => {
    await run(['set', '/odd/a\nb', 'x\u001b[31m\ty']);
    await run(['set', '/odd/b', '"x"']);
    await run(['set', '/odd/c', '']);
    await run(['set', '/odd/d', 'x ']);
    await run(['set', '/odd/e', "it's"]);
    const { out } = await run(['list', '/odd/', '--values']);
    expect(out.split('\n')).to.deep.equal([
      '"/odd/a\\nb"\t"x\\u001b[31m\\ty"',
      '/odd/b\t"\\"x\\""',
      '/odd/c\t""',
      '/odd/d\t"x "',
      "/odd/e\tit's",
      '',
    ]);
    const { err } = await run(['get', '/odd/c\nd']);
    expect(err)
      .to.include('get "/odd/c\\nd" at')
      .and.match(/^[^\n]*\n$/);
  });

  it('refuses words that are not UTF-8, which would otherwise come to mean another key', function () {
    if (process.platform !== 'linux') {
      process.stderr.write('      skipped: only Linux tells a program the bytes it was started with\n');
      this.skip();
    }
    const { status, stderr } = spawnSync('sh', [
      '-c',
      '"$0" "$1" get "$(printf "a\\377")"',
      process.execPath,
      PROGRAM,
    ]);
    expect({ status, err: String(stderr) }).to.deep.equal({
      status: 2,
      err: 'raftline: an argument is not UTF-8; keys and values are text\n',
    });
  });

  it('crosses the pages of a long list, and ends quietly when its reader has gone', async () => {
    const client = connect(node.address);
    await Promise.all(Array.from({ length: 20_000 }, (_, n) => client.set(`/long/${n}`, '')));
    await client.close();
    expect((await run(['list', '/long/'])).out.split('\n')).to.have.length(20_001);
    const child = startProgram(['list', '/long/'], { RAFTLINE_ADDRESS: node.address });
    let err = '';
    child.stderr.on('data', chunk => {
      err += chunk;
    });
    // What `head -1` does: it takes a line, and goes.
    child.stdout.once('data', () => child.stdout.destroy());
    const [status, signal] = await once(child, 'close');
    expect({ status, signal, err }).to.deep.equal({ status: 0, signal: null, err: '' });
  });

  it('says on one line that its output cannot be written, with a status that is no answer of a node', async () => {
    await run(['set', '/full', 'v']);
    for (const args of [['get', '/full'], ['list', '/'], ['export'], ['--version']]) {
      const full = openSync('/dev/full', 'w');
      const env = { ...process.env, RAFTLINE_ADDRESS: node.address };
      const child = spawn(process.execPath, [PROGRAM, ...args], { env, stdio: ['ignore', full, 'pipe'] });
      closeSync(full);
      let err = '';
      child.stderr?.on('data', chunk => {
        err += chunk;
      });
      const [status] = await once(child, 'close');
      expect({ status, err }, args.join(' ')).to.deep.equal({
        status: 3,
        err: 'raftline: standard output finds the disk full (ENOSPC): free some space, and run this again\n',
      });
    }
  });

  it('says of every verb how it is used', async function () {
    this.timeout(20_000);
    const others = await Promise.all(Object.values(VERBS).map(load => load()));
    const verbs = [...CLIENT_VERBS, repl, ...others];
    const { out, status } = await raftline(['--help']);
    expect(status).to.equal(0);
    for (const verb of verbs) {
      expect(out).to.match(new RegExp(`^  ${verb.name}\\b`, 'm'));
      expect(verbHelp(verb)).to.match(new RegExp(`^usage: raftline ${verb.name}\\b`));
    }
    const pages = [out, promptHelp(CLIENT_VERBS), ...verbs.map(verbHelp)];
    for (const line of pages.join('\n').split('\n')) expect(line.length, line).to.be.at.most(100);
    const shell = verbs
      .map(({ name }) => name)
      .filter(name => !CLIENT_VERBS.some(verb => verb.name === name));
    expect(SHELL_VERBS).to.have.members(shell);
    for (const args of [
      ['help', 'get'],
      ['get', '--help'],
    ]) {
      expect(await raftline(args)).to.deep.equal({ status: 0, out: `${verbHelp(get)}\n`, err: '' });
    }
    expect(await raftline(['--version'])).to.deep.equal({ status: 0, out: `${VERSION}\n`, err: '' });
  });

  it('says of a common flag what it is for this verb', () => {
    const flagOf = (name: string, flag: string) =>
      CLIENT_VERBS.find(verb => verb.name === name)?.flags[flag]?.about;
    expect(flagOf('get', 'timeout')).to.include('(5000)');
    expect(flagOf('change-membership', 'timeout')).to.include('(60000)');
    expect(flagOf('watch', 'json')).to.include('each event');
    expect(flagOf('lock', 'json')).to.include('only COMMAND prints');
  });

  it('names what is wrong, and the nearest that is right', async () => {
    for (const [args, words] of [
      [['gte', '/k'], 'did you mean get?'],
      [['frobnicate'], 'the verbs are get, set'],
      [['get', '--jsn', '/k'], 'did you mean --json?'],
      [['--verson'], 'did you mean --version?'],
      [[], 'raftline --help'],
      [['set', '/k', 'v', '--if-absent', '--if-mod', '1'], 'not both'],
      [['get', '/k', '--address', 'nowhere'], 'nowhere:7001'],
      [['add-learner'], 'add-learner: --node is missing'],
      [['get', ''], 'get "" at'],
      [['get', 'x'.repeat(1_025)], 'TOO_LARGE'],
    ] as const) {
      const { status, out, err } = await run(args);
      expect({ status, out }, args.join(' ')).to.deep.equal({ status: 2, out: '' });
      expect(err)
        .to.include(words)
        .and.match(/^raftline: [^\n]*\n$/);
    }
    const { err } = await raftline(['ping'], { env: { RAFTLINE_ADDRESS: 'bad' } });
    expect(err).to.include('RAFTLINE_ADDRESS: "bad" is not an address');
  });

  it('exits with 3 when nobody answers, and says of every address why', async () => {
    const [one, two] = [await deadAddress(), await deadAddress()];
    const { status, err } = await run(['get', '/k', '--address', `${one},${two}`]);
    expect(status).to.equal(3);
    expect(err).to.equal(
      `raftline: get /k: no node answers: ${one} refused the connection (ECONNREFUSED), ${two} refused the ` +
        'connection (ECONNREFUSED); start a node there (raftline serve), or name another with --address\n',
    );
  });

  it('exits as the error code says', async () => {
    let answer: object = {};
    const server: Scripted = await scripted((request, socket) => reply(socket, request.id, answer));
    for (const [code, retry, expected] of [
      ['NO_LEADER', true, 3],
      ['INTERNAL', false, 3],
      ['DENIED', false, 4],
      ['UNAUTHENTICATED', false, 4],
      ['WRONG_STAGE', false, 2],
      ['CONFLICT', false, 1],
      ['A_CODE_OF_TOMORROW', false, 3],
    ] as const) {
      answer = refusal(code, true, retry);
      const { status, err } = await run(['get', '/k', '--address', server.address, '--timeout', '150']);
      expect(status, code).to.equal(expected);
      expect(err).to.include(`get /k at ${server.address}: ${code} it is (${code})`);
    }
    await server.close();
  });

  it('does not wait longer than --timeout', async () => {
    const silent = await scripted(() => {});
    const { status, err } = await run(['set', '/k', 'v', '--address', silent.address, '--timeout', '100']);
    expect(status).to.equal(3);
    expect(err).to.include('did not answer within 100 ms').and.include('may or may not have happened');
    await silent.close();
  });

  it('finds a node among several addresses, IPv6 in brackets, flags before the verb', async function () {
    const dead = await deadAddress();
    const found = await run(['--address', `${dead},tcp://${node.address}`, 'ping']);
    expect(found.out).to.match(new RegExp(`^pong from ${node.address} after \\d+\\.\\d ms\n$`));
    const six = await startNode('[::1]:0').catch(() => undefined);
    if (six === undefined) {
      process.stderr.write('      skipped in part: this machine has no IPv6 loopback\n');
      this.skip();
    }
    expect((await run(['set', '/six', '6', '--address', six.address])).status).to.equal(0);
    await six.close();
  });

  it('says who a node is', async () => {
    const { out } = await run(['hello']);
    expect(out)
      .to.include(`n1 at ${node.address}: raftline ${VERSION}, protocol 1`)
      .and.include('role     single');
  });

  it('refreshes status --watch each second, until Ctrl-C', async () => {
    const child = startProgram(['status', '--watch'], { RAFTLINE_ADDRESS: node.address });
    let looks = 0;
    child.stdout.on('data', chunk => {
      looks += String(chunk).split('REACHABLE').length - 1;
      if (looks >= 2) child.kill('SIGINT');
    });
    const [status, signal] = await once(child, 'close');
    expect({ status, signal }).to.deep.equal({ status: 0, signal: null });
    expect(looks).to.equal(2);
  });
});
