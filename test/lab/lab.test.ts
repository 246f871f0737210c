import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { ask } from '../../lab/ask.ts';
import { FIRST_STAGE_WITH_DATA, STAGES } from '../../stages/stages.ts';
import { isAlive, LabProgram, Program, until } from './processes.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

describe('raftline lab', () => {
  const started: LabProgram[] = [];

  async function lab(args: readonly string[], stdin?: 'pipe' | 'ignore'): Promise<LabProgram> {
    const program = await LabProgram.start(args, stdin);
    started.push(program);
    return program;
  }

  afterEach(async () => {
    for (const program of started.splice(0)) {
      await program.end();
      await program.nodesAreGone();
    }
  });

  describe('with one node', () => {
    it('takes commands in order from standard input, and ends with quit', async () => {
      const program = await lab(['0']);
      program.child.stdin?.end(
        'set /a "x  y"\nget /a\nlist / --depth 1\nremove /a\nget /a\n{"op":"ping","id":7}\nquit\nget /b\n',
      );
      expect((await program.exit).status).to.equal(0);
      const replies = program.output.split('quit ends it all\n')[1]?.trim().split('\n') ?? [];
      expect(replies.map(line => JSON.parse(line.replace(/^n1 {2}/, '')))).to.deep.equal([
        { ok: true, rev: 1, mod: 1 },
        { ok: true, rev: 1, key: '/a', value: 'x  y', create: 1, mod: 1, version: 1 },
        { ok: true, rev: 1, keys: ['/a'], next: null },
        { ok: true, rev: 2, removed: 1 },
        { ok: true, rev: 2, key: '/a', value: null, create: 0, mod: 0, version: 0 },
        { id: 7, ok: true, rev: 2, pong: true },
      ]);
      await program.nodesAreGone();
    });

    it('passes over the comment that ends a line, whoever the line is for', async () => {
      const program = await lab(['0']);
      await program.answers('ping   # whoever can be reached', /n1 .*"pong":true/);
      await program.answers('@n1 status   # this very node', /n1 .*"role":"single"/);
      await program.answers('@n1 set /a "b # c"   # not within quotes', /n1 .*"mod":1/);
      await program.answers('@n1 {"op":"get","key":"/a # b"}', /n1 .*"key":"\/a # b"/);
    });

    it('prints a line for nc that works', async () => {
      const program = await lab(['0']);
      const [, text = '', host = '', port = ''] =
        /printf '(.*)' \| nc -N (\S+) (\d+)/.exec(program.output) ?? [];
      const lines = text.split('\\n').filter(line => line !== '');
      expect(lines).to.have.length(2);
      for (const line of lines) expect(await ask(`${host}:${port}`, line, 2_000)).to.contain('"ok":true');
    });

    it('kills a node and starts it again, empty', async () => {
      const program = await lab(['0']);
      const [node] = program.nodes;
      await program.answers('set /a 1', /"ok":true/);
      await program.answers('kill n1', /n1 is killed/);
      expect(isAlive(node?.pid ?? 0)).to.equal(false);
      await program.answers('status', /n1 .*killed +-/);
      await program.answers('get /a', /no node runs/);
      await program.answers('@n1 get /a', /n1 \(it is killed\): nobody listens there/);
      const [, pid] = await program.answers('restart n1', /n1 runs again \(pid (\d+)\)/);
      expect(Number(pid)).not.to.equal(node?.pid);
      await program.answers('get /a', /"value":null/);
      await program.answers('stop n1', /n1 is stopped/);
      await program.answers('status', /n1 .*stopped +-/);
      await program.answers('kill n1', /n1 does not run: it is stopped/);
    });

    it('pauses a node, which then does not answer, and resumes it', async () => {
      const program = await lab(['0']);
      await program.answers('pause n1', /n1 is paused/);
      await program.answers('@n1 {"op":"ping","timeout":1}', /n1 \(it is paused\): no answer within/);
      await program.answers('resume n1', /n1 goes on/);
      await program.answers('ping', /"pong":true/);
    });

    it('announces a node that ends by itself, and what it said last', async () => {
      const program = await lab(['0']);
      process.kill(program.nodes[0]?.pid ?? 0, 'SIGKILL');
      await program.says(/n1 was ended by SIGKILL, and nobody here stopped it/);
      await program.answers('status', /n1 .*was ended by SIGKILL/);
      await program.answers('restart n1', /n1 runs again/);
    });

    it('adds nodes to the cluster and takes them out, and tells a node from a key', async () => {
      const program = await lab(['8', '--nodes', '3']);
      await program.answers('set n2 a key', /"ok":true/);
      const [, pid] = await program.answers('add', /n4 at \S+ votes now \(pid (\d+)\)/);
      program.nodes.push({ id: 'n4', address: '', pid: Number(pid) });
      // Not on n1's way, which is asked, to n2, which may lead.
      await program.answers('cut n3 n2', /cut: n3 → n2/);
      await program.answers('delay n2 1ms', /n2 is 1 ms away/);
      await program.answers('remove n2', /n2 is no member any more; members: n1, n3, n4/);
      await program.answers('restart n2', /n2 was removed from the cluster: add brings a new node/);
      await program.answers('add n2', /n2 was removed, and has left its id behind/);
      await program.answers('add n3', /n3 is a node already/);
      await program.answers('add n9 n10', /one at a time/);
      await program.answers('get n2', /"value":"a key"/);
      await program.answers('remove n2', /"removed":1/);
      await program.answers('add n9', /n9 at \S+ votes now/);
      const before = program.output.length;
      await program.answers('status', /n9 .*(follower|leader)/);
      await program.answers('ping', /pong/);
      expect(program.output.slice(before), 'what was said of n2 went with it').not.to.match(/cut|away/);
      // Taken out by someone else, it runs on.
      await program.answers('@n1 {"op":"remove-node","node":"n9"}', /"ok":true/);
      await until('it knows', async () => {
        const [row] = await program.answers('status', /n9 .*\n/);
        return / removed /.test(row);
      });
    });

    const mistakes: [line: string, words: RegExp][] = [
      ['stauts', /there is no command stauts: did you mean status\?/],
      ['kill n7', /there is no node "n7": did you mean n1\?/],
      ['status n1', /usage: status; @n2 status asks one node/],
      ['heal n1', /usage: heal/],
      ['quit n1', /usage: quit/],
      ['kill', /which node\? There are n1/],
      ['get', /usage: get KEY/],
      ['get /a --fresh', /get has no --fresh; usage: get KEY/],
      ['set /a 1 --if-mod 3', /CONFLICT/],
      ['set /a 1 --if-mod x', /BAD_REQUEST/],
      ['{"op":', /BAD_JSON/],
      ['resume n1', /n1 is not paused: it is running/],
      ['restart nobody', /there is no node "nobody"/],
      ['delay n1 soon', /usage: delay n3 200ms/],
      ['cut n1 n1', /usage: cut n1 n2/],
      ['partition n1 | n1', /n1 cannot be on two sides at once/],
      ['@n1 dance', /a node is asked get, set/],
      ['add', /members change from stage 8 on; this cluster runs stage 0/],
      ['__proto__', /there is no command __proto__/],
    ];
    it('answers each mistake with what to do, and goes on', async () => {
      const program = await lab(['0']);
      for (const [line, words] of mistakes) await program.answers(line, words);
      await program.answers('help', /partition n1,n2 \| n3,n4,n5/);
      await program.answers('use n1', /asks n1/);
      await program.answers('ping', /pong/);
    });

    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      it(`stops everything with status 0 at ${signal}`, async () => {
        const program = await lab(['0']);
        program.child.kill(signal);
        expect((await program.exit).status).to.equal(0);
        expect(program.nodes.filter(node => isAlive(node.pid))).to.deep.equal([]);
      });
    }

    it('stays up when standard input ends without quit, and when there was none', async () => {
      const piped = await lab(['0']);
      piped.child.stdin?.end('ping\n');
      await piped.says(/pong/);
      const empty = await lab(['0'], 'ignore');
      for (const program of [piped, empty]) {
        expect(await ask(program.nodes[0]?.address ?? '', 'ping', 2_000)).to.contain('pong');
        program.child.kill('SIGTERM');
        expect((await program.exit).status).to.equal(0);
      }
    });

    it('leaves no process behind when it is killed itself, not even a paused one', async () => {
      const program = await lab(['0']);
      await program.answers('pause n1', /n1 is paused/);
      program.child.kill('SIGKILL');
      await program.exit;
      await program.nodesAreGone();
    });

    it('leaves no process behind when the killed lab was still starting', async function () {
      if (childrenOf(process.pid) === undefined) return this.skip();
      const program = new Program(['lab', '0'], 'ignore');
      const children = () => childrenOf(program.pid);
      let pids: number[] = [];
      await until('a node is there', () => {
        pids = children() ?? [];
        return pids.length > 0;
      });
      program.child.kill('SIGKILL');
      await program.exit;
      await until('it is gone', () => !pids.some(isAlive));
    });

    it('takes other ports when the usual ones are busy, and says so; two labs run at once', async () => {
      const busy = createServer();
      // When somebody else has the port already, they may give it up at any time, and only the rest is certain.
      const isOurs = await new Promise<boolean>(resolve => {
        busy.on('error', () => resolve(false)).listen(7_001, '127.0.0.1', () => resolve(true));
      });
      const [one, two] = await Promise.all([lab(['0']), lab(['0'])]);
      for (const program of [one, two]) {
        if (isOurs) expect(program.output).to.contain('the usual ports from 7001 are in use');
        await program.answers('ping', /pong/);
      }
      expect(one.nodes[0]?.address).not.to.equal(two.nodes[0]?.address);
      busy.close();
    });
  });

  describe('with data', () => {
    before(function () {
      if ((STAGES.at(-1)?.number ?? 0) < FIRST_STAGE_WITH_DATA) this.skip();
    });

    it('removes the folder that it made, and keeps the one that it was given', async () => {
      const own = await lab(['--nodes', '1']);
      const [, folder = ''] = /^data: (.*) \(removed at the end\)$/m.exec(own.output) ?? [];
      expect(existsSync(join(folder, 'n1', 'node.json'))).to.equal(true);
      await own.answers('set /a 1', /"ok":true/);
      own.child.stdin?.write('quit\n');
      expect((await own.exit).status).to.equal(0);
      expect(existsSync(folder)).to.equal(false);

      const given = mkdtempSync(join(tmpdir(), 'raftline-given-'));
      try {
        const first = await lab(['--nodes', '1', '--data', given]);
        await first.answers('set /a kept', /"ok":true/);
        first.child.kill('SIGTERM');
        await first.exit;
        expect(existsSync(join(given, 'n1', 'node.json'))).to.equal(true);
      } finally {
        rmSync(given, { recursive: true });
      }
    });
  });

  describe('under npm start', () => {
    before(function () {
      this.timeout(60_000);
      if (spawnSync('npm', ['--version']).error !== undefined) this.skip();
    });

    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      it(`leaves nothing behind when npm gets ${signal}`, async () => {
        const npm = spawn('npm', ['start', '--', '0'], { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] });
        let output = '';
        npm.stdout.on('data', chunk => {
          output += chunk;
        });
        await until(
          () => `the lab starts: ${output}`,
          () => output.includes('quit ends it all'),
        );
        const pid = Number(/^n1 +\S+ +(\d+)$/m.exec(output)?.[1]);
        expect(isAlive(pid)).to.equal(true);
        npm.kill(signal);
        await until('the node is gone', () => !isAlive(pid));
      });
    }
  });

  const wrong: [title: string, args: string[], words: RegExp][] = [
    ['a stage that does not exist yet', ['99'], /there is no stage 99 yet: there are 0, 1/],
    ['a stage that is no number', ['six'], /"six" is not the number of a stage/],
    ['no nodes at all', ['0', '--nodes', '0'], /a lab has 1 to/],
    ['several nodes at a stage of one', ['0', '--nodes', '3'], /stage 0 \(.*\) runs one node/],
  ];
  for (const [title, args, words] of wrong) {
    it(`refuses ${title} with status 2`, async () => {
      const program = new Program(['lab', ...args]);
      expect((await program.exit).status).to.equal(2);
      expect(program.errors).to.match(words);
    });
  }

  describe('with a cluster', () => {
    it('shows a row for each node, and kills and restarts them one by one', async () => {
      const program = await lab(['2', '--nodes', '3']);
      expect(program.nodes.map(node => node.id)).to.deep.equal(['n1', 'n2', 'n3']);
      await program.answers('status', /n1 .*leader[\s\S]*n2 .*follower[\s\S]*n3 .*follower/);
      await program.answers('kill n2,n3', /n2 is killed\nn3 is killed/);
      await program.answers('status', /n1 .*running[\s\S]*n2 .*killed[\s\S]*n3 .*killed/);
      await program.answers('restart n2 n3', /n2 runs again .*\nn3 runs again/);
    });

    it('shows an old value behind a partition, and the new one after it has healed', async () => {
      const program = await lab(['2', '--nodes', '3']);
      // A follower that is not connected is never told, at this stage, so it is written until n3 has it.
      const reaches = (text: string) =>
        until(`n3 has ${text}`, async () => {
          await program.answers(`@n1 set /a ${text}`, /"ok":true/);
          const [reply] = await program.answers('@n3 get /a --stale', /"value":.*\n/);
          return reply.includes(`"${text}"`);
        });
      await reaches('old');
      await program.answers('partition n1,n2 | n3', /cut: n1,n2 \| n3/);
      await program.answers('status', /cut: .*n1 → n3/);
      await program.answers('@n1 {"op":"set","key":"/a","value":"new","timeout":500}', /n1.*\n/);
      await program.answers('@n3 get /a --stale', /"value":"old"/);
      await program.answers('heal', /no link is cut/);
      await reaches('newest');
    });

    it('makes a slow link slow', async () => {
      const program = await lab(['2', '--nodes', '3']);
      await program.answers('set /a 1', /"ok":true/);
      await program.answers('delay n2 300ms', /n2 is 300 ms away/);
      await program.answers('delay n3 300ms', /n3 is 300 ms away/);
      const began = performance.now();
      await program.answers('@n2 set /a 2', /"ok":true/);
      expect(performance.now() - began).to.be.at.least(299);
      await program.answers('heal', /n2 is 300 ms away still: delay n2 0 ends that/);
    });

    it('leaves no process behind when it is killed itself, with one node paused and one killed', async () => {
      const program = await lab(['2', '--nodes', '3']);
      await program.answers('pause n2', /paused/);
      await program.answers('kill n3', /killed/);
      program.child.kill('SIGKILL');
      await program.exit;
      await program.nodesAreGone();
    });
  });
});

/** The processes that a process has started; undefined where the system does not tell. */
function childrenOf(pid: number): number[] | undefined {
  const path = `/proc/${pid}/task/${pid}/children`;
  if (!existsSync('/proc/self/task')) return undefined;
  return existsSync(path) ? readFileSync(path, 'utf8').split(' ').filter(Boolean).map(Number) : [];
}
