import { connect } from 'node:net';
import split2 from 'split2';
import { parseAddress } from '../src/wire/address.ts';

/** A question that got no answer. `isRefused`: nobody listens there, so it was not heard either. */
export class NoAnswer extends Error {
  readonly isRefused: boolean;

  constructor(message: string, isRefused: boolean) {
    super(message);
    this.name = 'NoAnswer';
    this.isRefused = isRefused;
  }
}

/** Sends one line over a connection of its own, and resolves with the line that comes back. */
export function ask(address: string, line: string, timeout: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...parseAddress(address), noDelay: true });
    const deadline = setTimeout(() => give(`no answer within ${timeout} ms`), timeout);
    const give = (why: string, isRefused = false) => {
      reject(new NoAnswer(why, isRefused));
      socket.destroy();
    };
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const isRefused = error.code === 'ECONNREFUSED';
      give(isRefused ? 'nobody listens there' : error.message, isRefused);
    });
    socket.once('close', () => {
      clearTimeout(deadline);
      give('it closed the connection without an answer');
    });
    // What lacks its end when the node ends is no answer.
    socket.pipe(split2(), { end: false }).once('data', (reply: string) => {
      resolve(reply);
      socket.destroy();
    });
    socket.write(`${line}\n`);
  });
}
