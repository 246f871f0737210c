import type { Socket } from 'node:net';

/** Milliseconds after which a node says at the latest that something has arrived from another. */
const RECEIPT_DELAY = 250;
/** Milliseconds between two looks at whether a node still receives what it is sent. */
const LOOK = 250;
/** Milliseconds without a receipt after which what was sent there counts as lost. */
export const LONGEST_SILENCE = 4_000;

/**
 * Says to another node, with a blank line now and then, that what it sends arrives. Its messages are answered over a
 * connection of our own, and TCP alone would tell it too late: after a partition it goes on sending only when the
 * kernel tries again, and that may take as long as the partition lasted.
 */
export class Receipts {
  #due: NodeJS.Timeout | undefined;

  constructor(socket: Socket) {
    socket.on('data', () => {
      this.#due ??= setTimeout(() => {
        this.#due = undefined;
        if (socket.writable) socket.write('\n');
      }, RECEIPT_DELAY).unref();
    });
    socket.once('close', () => clearTimeout(this.#due));
  }
}

/** The other end: knows when a node takes nothing any more of what it is sent. */
export class Silence {
  #isOwed = false;
  /** Looks in a row that found a receipt owed. A process that was stopped has missed its looks, and counts none. */
  #looks = 0;
  readonly #looking: NodeJS.Timeout;

  constructor(socket: Socket, onSilent: () => void) {
    socket.on('data', () => {
      this.#isOwed = false;
      this.#looks = 0;
    });
    this.#looking = setInterval(() => {
      if (!this.#isOwed) return;
      this.#looks += 1;
      if (this.#looks * LOOK >= LONGEST_SILENCE) onSilent();
    }, LOOK).unref();
    socket.once('close', () => clearInterval(this.#looking));
  }

  /** Something was sent. */
  sent(): void {
    this.#isOwed = true;
  }
}
