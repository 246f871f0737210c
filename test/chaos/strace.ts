import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { TraceEvent } from './disk-orders.ts';

const CALLS = 'trace=write,writev,pwrite64,pwritev,sendto,sendmsg,fdatasync,fsync';

/** Whether processes can be traced here. */
export function canTrace(): boolean {
  const probe = spawnSync('strace', ['-f', '-e', 'trace=none', 'true']);
  return probe.status === 0;
}

/** A process whose calls to the system are written down, from when it is attached to. */
export class Strace {
  readonly #child: ChildProcess;
  readonly #path: string;

  private constructor(child: ChildProcess, path: string) {
    this.#child = child;
    this.#path = path;
  }

  /** Attaches to a process, and resolves when it is traced. */
  static async attach(pid: number, path: string): Promise<Strace> {
    const args = ['-f', '-yy', '-ttt', '-T', '-s', '1000000', '-e', CALLS, '-o', path, '-p', String(pid)];
    const child = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const words = await Promise.race([once(child.stderr, 'data'), once(child, 'close')]);
    if (!/attached/.test(String(words[0]))) throw new Error(`strace: ${words[0]}`);
    return new Strace(child, path);
  }

  /** Lets go of the process, and resolves with what it did. */
  async detach(): Promise<TraceEvent[]> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGINT');
      await once(this.#child, 'close');
    }
    return readStrace(readFileSync(this.#path, 'utf8'));
  }
}

/** The calls in the output of strace, as events of an audit, in order. */
export function readStrace(text: string): TraceEvent[] {
  const events: TraceEvent[] = [];
  /** The sync that each thread waits for. */
  const syncs = new Map<string, number>();
  let calls = 0;
  for (const line of text.split('\n')) {
    const [, thread = '', time, rest = ''] = /^(\d+) +([\d.]+) (.*)$/s.exec(line) ?? [];
    const at = Number(time) * 1_000;
    const [, name, path = '', args = ''] = /^(\w+)\(\d+<([^>]*(?:->[^>]*)?)>(.*)$/s.exec(rest) ?? [];
    if (name === 'fdatasync' || name === 'fsync') {
      calls += 1;
      events.push({ kind: 'sync', path, call: calls, at });
      syncs.set(thread, calls);
    } else if (name !== undefined) {
      const bytes = [...args.matchAll(/"((?:[^"\\]|\\.)*)"/gs)].map(([, quoted = '']) => unquoted(quoted));
      const content = bytes.join('');
      if (path.startsWith('TCP')) events.push({ kind: 'send', text: content, at });
      else if (name.startsWith('pwrite')) events.push({ kind: 'write', path, text: content, at });
    }
    const call = syncs.get(thread);
    const [, took] = /(?:^f(?:data)?sync\(|^<\.\.\. f(?:data)?sync).* = 0 <([\d.]+)>$/s.exec(rest) ?? [];
    if (call === undefined || took === undefined) continue;
    // The time of a line is that of its beginning, but a call that was interrupted ends on a line of its own.
    events.push({ kind: 'synced', call, at: rest.startsWith('<') ? at : at + Number(took) * 1_000 });
    syncs.delete(thread);
  }
  return events;
}

/** What stands between the quotes of a string of C. */
function unquoted(text: string): string {
  const escapes: Readonly<Record<string, string>> = {
    n: '\n',
    t: '\t',
    r: '\r',
    v: '\v',
    f: '\f',
    '"': '"',
    '\\': '\\',
  };
  return text.replace(
    /\\([0-7]{1,3}|.)/gs,
    (_, code: string) => escapes[code] ?? String.fromCharCode(Number.parseInt(code, 8)),
  );
}
