import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { parseAddress } from '../src/wire/address.ts';
import { gets, sets } from './lines.ts';

/** A server that is measured, once it runs. */
export interface RunningSubject {
  /** Where requests go. */
  readonly address: string;
  /** Milliseconds of processor time that its processes have taken so far. */
  cpu(): Promise<number>;
  stop(): Promise<void>;
}

/** One row of each table: a kind of request to a subject. All its lines are of one length. */
export interface Contender {
  readonly name: string;
  readonly lines: readonly string[];
  /** The contender whose rate it is compared with: the bare limit for the same lines. */
  readonly limit: string;
}

/** A server to measure. The next one (a cluster, another stage, another store) is one more item of `SUBJECTS`. */
export interface Subject {
  readonly name: string;
  readonly start: () => Promise<RunningSubject>;
  readonly contenders: readonly Contender[];
}

export const SUBJECTS: readonly Subject[] = [
  {
    name: 'echo',
    start: () => child('echo.js'),
    contenders: [
      { name: 'echo of get', lines: gets, limit: 'echo of get' },
      { name: 'echo of set', lines: sets, limit: 'echo of set' },
    ],
  },
  {
    name: 'stage 0',
    start: async () => {
      const node = await child('stage-node.js', '0');
      await send(node.address, sets);
      return node;
    },
    contenders: [
      { name: 'stage 0 get', lines: gets, limit: 'echo of get' },
      { name: 'stage 0 set', lines: sets, limit: 'echo of set' },
    ],
  },
];

/** Runs a script of this folder that ends its start with `tellParent`. */
async function child(script: string, ...args: string[]): Promise<RunningSubject> {
  const process = fork(fileURLToPath(new URL(script, import.meta.url)), args);
  const address = await firstMessage(process, script);
  return {
    address,
    cpu: async () => {
      process.send('cpu');
      const [milliseconds] = (await once(process, 'message')) as [number];
      return milliseconds;
    },
    stop: async () => {
      if (process.exitCode !== null || process.signalCode !== null) return;
      const gone = once(process, 'exit');
      process.kill('SIGKILL');
      await gone;
    },
  };
}

async function firstMessage(process: ChildProcess, script: string): Promise<string> {
  const failed = once(process, 'exit').then(([code]) => {
    throw new Error(`${script} ended with ${code} before it listened`);
  });
  const message = once(process, 'message') as Promise<[string]>;
  const [address] = await Promise.race([message, failed]);
  failed.catch(() => {});
  return address;
}

/** Sends lines and waits for their replies, so that what is read later is there. */
function send(address: string, requests: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(parseAddress(address));
    socket.on('error', reject);
    socket.on('close', () => resolve());
    socket.resume();
    socket.end(requests.map(line => `${line}\n`).join(''));
  });
}
