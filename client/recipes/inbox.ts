import type { Success } from '../../src/wire/reply.ts';
import type { ClientError } from '../client-error.ts';
import type { Push, StreamListener } from '../transport.ts';
import { interrupted } from './wire.ts';

/**
 * What a stream has brought and nobody has taken yet, up to a bound. Beyond it nothing more is taken in: the stream is
 * given up, and whoever reads goes on, once he has caught up, with a new one from where this one ended. So a slow
 * reader costs neither memory nor the other requests of his client.
 */
export class Inbox implements StreamListener {
  readonly #most: number;
  readonly #full: () => void;
  #reply: Success | undefined;
  #pushes: { push: Push; size: number }[] = [];
  #size = 0;
  #isFull = false;
  #error: ClientError | undefined;
  #wake: (() => void) | undefined;

  /** `most`: characters that it holds, or a single push that is larger. `full` is to close the stream. */
  constructor(most: number, full: () => void) {
    this.#most = most;
    this.#full = full;
  }

  opened(reply: Success): void {
    this.#reply = reply;
    this.#wake?.();
  }

  pushed(push: Push, size: number): void {
    if (this.#isFull) return;
    if (this.#pushes.length > 0 && this.#size + size > this.#most) {
      this.#isFull = true;
      this.#full();
      return;
    }
    // Of progress only the latest counts.
    if (push.progress === true && this.#pushes.at(-1)?.push.progress === true) this.#pushes.pop();
    else this.#size += size;
    this.#pushes.push({ push, size });
    this.#wake?.();
  }

  ended(error: ClientError): void {
    this.#error = error;
    this.#wake?.();
  }

  /** The node's reply. Rejects with its refusal. */
  async reply(signal: AbortSignal | undefined): Promise<Success> {
    while (this.#reply === undefined) {
      if (this.#error !== undefined) throw this.#error;
      await this.#news(signal);
    }
    return this.#reply;
  }

  /** The next push; undefined once those that fitted are taken. Rejects behind the last when the stream has ended. */
  async take(signal: AbortSignal | undefined): Promise<Push | undefined> {
    for (;;) {
      if (signal?.aborted) throw interrupted('watch', signal);
      const next = this.#pushes.shift();
      if (next !== undefined) {
        this.#size -= next.size;
        return next.push;
      }
      if (this.#isFull) return undefined;
      if (this.#error !== undefined) throw this.#error;
      await this.#news(signal);
    }
  }

  async #news(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) throw interrupted('watch', signal);
    const wake = () => this.#wake?.();
    signal?.addEventListener('abort', wake);
    await new Promise<void>(resolve => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    signal?.removeEventListener('abort', wake);
    if (signal?.aborted) throw interrupted('watch', signal);
  }
}
