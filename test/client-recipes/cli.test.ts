import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';
import { PROGRAM, type Ran, type RunOptions, raftline } from '../1-client/program.ts';
import { all, deadAddress } from '../1-client/servers.ts';
import { eventually, RealCluster } from './real-cluster.ts';

/** A program that runs on, with what it has printed so far. */
interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly out: string[];
  readonly err: string[];
  readonly ended: Promise<{ status: number | null; signal: NodeJS.Signals | null }>;
}

describe('the command line of transactions, watches, leases, locks, elections and services', function () {
  this.timeout(90_000).slow(15_000);
  const real = RealCluster.forSuite();
  const programs: ChildProcessWithoutNullStreams[] = [];

  afterEach(() => {
    for (const child of programs.splice(0)) child.kill('SIGKILL');
  });

  const env = () => ({ RAFTLINE_ADDRESS: real.cluster.addresses.join(',') });
  const run = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
    raftline(args, { ...options, env: { ...env(), ...options.env } });

  function begin(...args: string[]): Running {
    const own = { env: { ...process.env, ...env() }, timeout: 90_000 };
    const child = spawn(process.execPath, [PROGRAM, ...args], own);
    programs.push(child);
    const lines = (text: string) => text.split('\n').slice(0, -1);
    let out = '';
    let err = '';
    child.stdout.on('data', chunk => {
      out += chunk;
    });
    child.stderr.on('data', chunk => {
      err += chunk;
    });
    const ended = once(child, 'close').then(([status, signal]) => ({ status, signal }));
    return {
      child,
      ended,
      get out() {
        return lines(out);
      },
      get err() {
        return lines(err);
      },
    };
  }

  describe('txn', () => {
    it('reads a transaction, prints its results, and exits with 1 when its conditions do not hold', async () => {
      await run(['set', '/txn/a', '1']);
      const input = JSON.stringify({
        if: { key: '/txn/a', value: '1' },
        // biome-ignore lint/suspicious/noThenProperty: a field of the protocol
        then: [
          { op: 'set', key: '/txn/a', value: '2' },
          { op: 'get', key: '/txn/a' },
        ],
        else: [{ op: 'get', key: '/txn/a' }],
      });
      const done = await run(['txn'], { input });
      expect(done, done.err).to.include({ status: 0, err: '' });
      const [set, get] = done.out.split('\n').map(line => (line === '' ? {} : JSON.parse(line)));
      expect(set).to.have.property('mod');
      expect(get).to.include({ key: '/txn/a', value: '2' });
      expect((await run(['txn', '-'], { input: '{"then":[]}' })).status).to.equal(0);
      const not = await run(['txn', input]);
      expect(not.status).to.equal(1);
      expect(JSON.parse(not.out)).to.include({ value: '2' });
      expect(not.err).to.include('the conditions do not hold; "else" was done');
      const line = JSON.parse((await run(['txn', input, '--json'])).out);
      expect(line).to.include({ ok: true, succeeded: false });
    });

    it('says what is wrong with one', async () => {
      for (const [input, words] of [
        ['{', 'this is not JSON'],
        ['[]', 'an object with "then"'],
        ['{"op":"set"}', 'another operation'],
        ['{"than":[]}', 'did you mean "then"?'],
        ['{}', 'needs "then"'],
      ] as const) {
        const { status, err } = await run(['txn'], { input });
        expect(status, input).to.equal(2);
        expect(err).to.include(words);
      }
    });
  });

  describe('watch', () => {
    it('prints a line for each event until Ctrl-C, from a revision on', async () => {
      const { mod } = JSON.parse((await run(['set', '/w/a', 'x\ny', '--json'])).out);
      const watch = begin('watch', '/w/', '--from', String(mod));
      await eventually('the past is there', () => watch.out.length === 1);
      await run(['set', '/w/b', '2']);
      await run(['set', '/elsewhere', '']);
      await run(['remove', '/w/', '--prefix']);
      await eventually('all is there', () => watch.out.length === 4);
      watch.child.kill('SIGINT');
      expect(await watch.ended).to.deep.equal({ status: 0, signal: null });
      expect(watch.out.map(line => line.split('\t').slice(1))).to.deep.equal([
        ['set', '/w/a', '"x\\ny"'],
        ['set', '/w/b', '2'],
        ['remove', '/w/a'],
        ['remove', '/w/b'],
      ]);
      expect(watch.out[2]?.split('\t')[0]).to.equal(watch.out[3]?.split('\t')[0]);
      expect(watch.err).to.deep.equal([]);
    });

    it('prints JSON, and goes on when the leader is killed', async () => {
      const [leader = '', ...others] = await real.idsFromLeader();
      const addresses = [leader, ...others].map(id => real.cluster.node(id).address).join(',');
      const { mod } = JSON.parse((await run(['set', '/wj/a', '1', '--json'])).out);
      const watch = begin('watch', '/wj/', '--json', '--from', String(mod), '--address', addresses);
      await eventually('it has begun', () => watch.out.length === 1);
      expect(JSON.parse(watch.out[0] ?? '')).to.include({ rev: mod, type: 'set', key: '/wj/a', value: '1' });
      await real.cluster.node(leader).kill();
      await eventually('it takes changes', async () => (await run(['set', '/wj/b', '2'])).status === 0);
      await eventually('it is there', () => watch.out.length >= 2);
      expect(JSON.parse(watch.out[1] ?? '')).to.include({ key: '/wj/b' });
    });

    it('prints who leads, and who leads next', async () => {
      const [leader = ''] = await real.idsFromLeader();
      const watch = begin('watch', '--cluster');
      const leaders = () =>
        watch.out.filter(line => line.startsWith('leader\t')).map(line => line.split('\t')[1]);
      await eventually('the leader is there', () => leaders().at(-1) === leader);
      expect(watch.out.findLast(line => line.startsWith('leader\t'))).to.match(
        /^leader\tn\d\t127\.0\.0\.1:\d+\tterm \d+$/,
      );
      const to = real.cluster.ids.find(id => id !== leader) ?? '';
      await eventually('it leads', async () => (await run(['transfer-leader', to])).status === 0);
      await eventually('the next is there', () => leaders().at(-1) === to);
    });

    it('says what is wrong, and that nobody answers', async () => {
      for (const [args, words] of [
        [['watch'], 'which keys?'],
        [['watch', '/a', '--cluster'], 'stands alone'],
        [['watch', '/a', '--from', '0'], 'from 1'],
      ] as const) {
        const { status, err } = await run(args);
        expect(status).to.equal(2);
        expect(err).to.include(words);
      }
      const { status, err } = await run(['watch', '/a', '--address', await deadAddress()]);
      expect(status).to.equal(3);
      expect(err).to.include('no node answers');
    });
  });

  describe('lease', () => {
    it('grants, renews, lists and revokes', async () => {
      const granted = await run(['lease', 'grant', '60']);
      expect(granted.out).to.match(/^lease \d+, 60 s\n$/);
      const [, id = ''] = /^lease (\d+)/.exec(granted.out) ?? [];
      await run(['set', '/lease/a', '1', '--lease', id]);
      expect((await run(['lease', 'renew', id])).out).to.equal(`lease ${id} is renewed, 60 s\n`);
      expect((await run(['lease', 'list'])).out).to.match(
        new RegExp(`^${id}\t60 s\t\\d+ s left\t1 key$`, 'm'),
      );
      expect((await run(['lease', 'revoke', id])).out).to.equal(`lease ${id} is revoked\n`);
      expect((await run(['get', '/lease/a'])).status).to.equal(1);
      const again = await run(['lease', 'renew', id]);
      expect(again.status).to.equal(1);
      expect(again.err).to.include('(LEASE_NOT_FOUND)');
    });

    it('says what is wrong', async () => {
      for (const [args, words] of [
        [['lease', 'grnat', '5'], 'did you mean grant?'],
        [['lease', 'grant'], 'TTL is missing'],
        [['lease', 'renew', 'x'], 'ID must be a positive integer'],
        [['lease', 'list', '7'], 'takes nothing'],
      ] as const) {
        const { status, err } = await run(args);
        expect(status, args.join(' ')).to.equal(2);
        expect(err).to.include(words);
      }
    });
  });

  describe('lock', () => {
    it('runs a command with the fence in its environment, and exits as it does', async () => {
      const script = 'echo "$RAFTLINE_FENCE $RAFTLINE_LOCK_KEY $1"; exit 7';
      const { status, out, err } = await run(['lock', 'cli', '--', 'sh', '-c', script, 'sh', '--flag']);
      expect({ status, err }).to.deep.equal({ status: 7, err: '' });
      expect(out).to.match(/^\d+ \/locks\/cli\/\d+ --flag\n$/);
      expect((await run(['list', '/locks/cli/'])).out).to.equal('');
      expect((await run(['lock', 'cli', '--', 'sh', '-c', 'kill -9 $$'])).status).to.equal(128 + 9);
      const missing = await run(['lock', 'cli', '--', '/no/such/command']);
      expect(missing.status).to.equal(127);
      expect(missing.err).to.include('/no/such/command').and.include('cannot be run');
      expect((await run(['lock', 'cli'])).status).to.equal(2);
      expect((await run(['lock', 'cli', 'ls'])).err).to.include('put the command behind --');
    });

    it('waits for the one before, hands signals on, and releases when the command has ended', async () => {
      const script = 'trap "echo over; exit 5" TERM; echo in; while :; do sleep 0.05; done';
      const first = begin('lock', 'signal', '--', 'sh', '-c', script);
      await eventually('it runs', () => first.out.includes('in'));
      const refused = await run(['lock', 'signal', '--wait', '1', '--', 'echo', 'never']);
      expect(refused).to.include({ status: 1, out: '' });
      expect(refused.err).to.include('held by another');
      const second = begin('lock', 'signal', '--', 'echo', 'mine');
      const user = real.client();
      await eventually('it waits', async () => (await all(user.list('/locks/signal/'))).length === 2);
      first.child.kill('SIGTERM');
      expect(await first.ended).to.deep.equal({ status: 5, signal: null });
      expect(first.out).to.deep.equal(['in', 'over']);
      expect(await second.ended).to.deep.equal({ status: 0, signal: null });
      expect(second.out).to.deep.equal(['mine']);
    });

    it('ends with its command on Ctrl-C, and leaves the queue on it or on SIGTERM', async () => {
      const user = real.client();
      const queue = () => all(user.list('/locks/leave/'));
      const held = begin('lock', 'leave', '--', 'sleep', '60');
      await eventually('it is held', async () => (await queue()).length === 1);
      const [key] = await queue();
      const waiting = ['SIGINT', 'SIGTERM'] as const;
      const programs = waiting.map(() => begin('lock', 'leave', '--', 'echo', 'never'));
      await eventually('they wait', async () => (await queue()).length === 3);
      for (const [at, signal] of waiting.entries()) programs[at]?.child.kill(signal);
      const ends = await Promise.all(programs.map(({ ended }) => ended));
      expect(ends.map(({ status }) => status)).to.deep.equal([130, 143]);
      expect(await queue()).to.deep.equal([key]);
      held.child.kill('SIGINT');
      expect(await held.ended).to.deep.equal({ status: 130, signal: null });
      expect(await queue()).to.deep.equal([]);
    });

    it('asks once when there is no time to wait', async () => {
      const args = ['lock', 'once', '--wait', '0', '--json', '--', 'echo', 'mine'];
      expect(await run(args)).to.deep.equal({ status: 0, out: 'mine\n', err: '' });
      const held = await real.client().lock('once');
      const refused = await run(args);
      expect(refused).to.include({ status: 1, out: '' });
      expect(refused.err).to.include('held by another');
      await held.release();
    });

    it('does not take it for held when nobody answers', async () => {
      const [, ...others] = await real.idsFromLeader();
      for (const id of others) real.cluster.node(id).pause();
      const waits = await run(['lock', 'silent', '--wait', '1', '--', 'echo', 'never']);
      expect(waits).to.include({ status: 3, out: '' });
      expect(waits.err).to.match(/^raftline: lock silent at \S+: no answer within 1 s/);
      const asks = await run(['lock', 'silent', '--wait', '0', '--timeout', '500', '--', 'echo', 'never']);
      expect(asks).to.include({ status: 3, out: '' });
      expect(asks.err).not.to.include('held by another');
    });

    it('ends the command when the lock is lost', async () => {
      const script = 'trap "" TERM; echo in; while :; do sleep 0.05; done';
      const lock = begin('lock', 'lost', '--ttl', '2', '--', 'sh', '-c', script);
      await eventually('it runs', () => lock.out.includes('in'));
      for (const node of real.cluster.nodes) node.pause();
      expect(await lock.ended).to.deep.equal({ status: 3, signal: null });
      expect(lock.err.join('\n')).to.include('lock lost is lost').and.include('ending sh');
    });
  });

  describe('elect', () => {
    it('leads until Ctrl-C, one after the other', async () => {
      const first = begin('elect', 'cli', 'one');
      await eventually('it leads', () => first.out.length === 1);
      expect(first.out[0]).to.match(/^one leads cli, fence \d+$/);
      const second = begin('elect', 'cli', 'two', '--json');
      const user = real.client();
      await eventually('it waits', async () => (await all(user.list('/elections/cli/'))).length === 2);
      expect((await user.leader('cli'))?.value).to.equal('one');
      first.child.kill('SIGINT');
      expect(await first.ended).to.deep.equal({ status: 0, signal: null });
      await eventually('the next leads', () => second.out.length === 1);
      expect(JSON.parse(second.out[0] ?? '')).to.include({ name: 'cli', value: 'two' });
      second.child.kill('SIGTERM');
      expect(await second.ended).to.deep.equal({ status: 0, signal: null });
    });

    it('exits with 3 when the leadership is lost', async () => {
      const lead = begin('elect', 'lost', 'one', '--ttl', '60');
      await eventually('it leads', () => lead.out.length === 1);
      const user = real.client();
      await user.remove((await user.leader('lost'))?.key ?? '');
      expect(await lead.ended).to.deep.equal({ status: 3, signal: null });
      expect(lead.err.join('\n')).to.include('the leadership is lost');
    });
  });

  describe('register and services', () => {
    it('register until Ctrl-C, list, and follow', async () => {
      expect(await run(['services', 'cli'])).to.include({ status: 1, out: '' });
      const follow = begin('services', 'cli', '--watch');
      const one = begin('register', 'cli', 'one', '10.0.0.1:80', '--meta', '{"zone":"a"}');
      await eventually('it is registered', () => one.out.length === 1);
      expect(one.out[0]).to.equal('one of cli is registered at 10.0.0.1:80');
      await eventually('it comes', () => follow.out.length === 1);
      expect((await run(['services', 'cli'])).out).to.equal('one\t10.0.0.1:80\t{"zone":"a"}\n');
      expect(JSON.parse((await run(['services', 'cli', '--json'])).out)).to.deep.equal({
        id: 'one',
        address: '10.0.0.1:80',
        meta: { zone: 'a' },
      });
      const other = begin('register', 'cli', 'one', 'elsewhere');
      await eventually('it says that it is taken over', () => one.err.length === 1);
      expect(one.err[0]).to.include('one of cli is taken over by another, registered at elsewhere');
      other.child.kill('SIGINT');
      expect(await other.ended).to.deep.equal({ status: 0, signal: null });
      await eventually('it is registered again', () => one.out.length === 2);
      expect(one.out[1]).to.equal(one.out[0]);
      one.child.kill('SIGINT');
      expect(await one.ended).to.deep.equal({ status: 0, signal: null });
      await eventually('it goes', () => follow.out.length === 5);
      follow.child.kill('SIGINT');
      expect(await follow.ended).to.deep.equal({ status: 0, signal: null });
      const up = 'up\tone\t10.0.0.1:80\t{"zone":"a"}';
      expect(follow.out).to.deep.equal([up, 'up\tone\telsewhere', 'down\tone', up, 'down\tone']);
    });

    it('say what is wrong', async () => {
      const meta = await run(['register', 'cli', 'one', 'a', '--meta', '{']);
      expect(meta).to.include({ status: 2 });
      expect(meta.err).to.include('--meta is not JSON');
      const id = await run(['register', 'cli', 'one/two', 'a']);
      expect(id).to.include({ status: 2 });
      expect(id.err).to.include('nor have a /');
    });
  });

  describe('the prompt', () => {
    it('takes these verbs too, but for those that need the terminal', async () => {
      const input = [
        `txn '{"then":[{"op":"set","key":"/prompt/a","value":"1"}]}'`,
        'txn',
        'lock a -- ls',
        'get /prompt/a',
        '',
      ].join('\n');
      const { status, out, err } = await run(['repl'], { input });
      expect(status).to.equal(0);
      expect(out.split('\n').at(-2)).to.equal('1');
      expect(err).to.include('txn: give it behind the verb').and.include('run it from a shell');
    });
  });
});
