import type { Position } from './entry.ts';

/** A snapshot on its way to another node. */
export interface Transfer {
  readonly snapshot: Position;
  /** Bytes of its file that have arrived: where the next piece begins. */
  offset: number;
  /** How often the leader has begun again since anything arrived. */
  retries: number;
}

/** Of those who may lead, the one to hand leadership to: who answers comes first, then who needs least to catch up. */
export function bestSuccessor(
  progress: ReadonlyMap<string, Progress>,
  mayLead: (id: string) => boolean,
): string | undefined {
  const candidates = [...progress].filter(([id]) => mayLead(id));
  const [best] = candidates.sort(
    ([, a], [, b]) => Number(b.isActive) - Number(a.isActive) || b.match - a.match,
  );
  return best?.[0];
}

/** What a leader knows of one other node's log, and how it sends to it. */
export class Progress {
  /** The highest index known to be replicated and durable there. */
  match = 0;
  /** The index of the next entry to send. */
  next: number;
  /**
   * `probe`: where the logs agree is not known, so one message goes out and its answer is awaited. `stream`: it is
   * known, so entries follow each other without waiting, as far as the window goes. `snapshot`: what it lacks first
   * is no longer in the log, so a snapshot goes in its place (§7), piece by piece, each answered before the next.
   */
  mode: 'probe' | 'stream' | 'snapshot' = 'probe';
  /** In `snapshot`: which one is on its way, and how much of it has arrived. */
  transfer: Transfer | undefined;
  /** In `probe` and `snapshot`: an answer is awaited. */
  isWaiting = false;
  /** In `stream`: what has been sent and not yet answered, oldest first. */
  readonly #inFlight: { readonly last: number; readonly size: number }[] = [];
  #inFlightBytes = 0;
  /** The commit index that the last message carried. */
  toldCommit = 0;
  /** Ticks since an answer moved anything, while one is awaited. */
  silence = 0;
  /** Heard of since the leader last counted those who can hear it, or in the time before that count. */
  isActive = true;
  wasActive = true;
  /** The latest round of heartbeats that it has answered. */
  round = 0;

  constructor(next: number) {
    this.next = next;
  }

  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  get inFlight(): number {
    return this.#inFlight.length;
  }

  sent(last: number, size: number): void {
    this.#inFlight.push({ last, size });
    this.#inFlightBytes += size;
    this.next = last + 1;
  }

  /** Everything up to an index has arrived: the window opens by as much. */
  arrived(match: number): void {
    this.match = Math.max(this.match, match);
    this.silence = 0;
    this.isWaiting = false;
    for (
      let first = this.#inFlight[0];
      first !== undefined && first.last <= match;
      first = this.#inFlight[0]
    ) {
      this.#inFlight.shift();
      this.#inFlightBytes -= first.size;
    }
    this.next = Math.max(this.next, this.match + 1);
  }

  /** Starts again at an index, one message at a time. */
  probe(next: number): void {
    this.mode = 'probe';
    this.#forget();
    this.next = Math.max(next, this.match + 1);
  }

  /** Starts to send a snapshot, or goes on with it where its last piece arrived. */
  install(transfer: Transfer): void {
    this.mode = 'snapshot';
    this.#forget();
    this.transfer = transfer;
    this.next = this.match + 1;
  }

  /** What is on its way may be lost. */
  #forget(): void {
    this.isWaiting = false;
    this.silence = 0;
    this.#inFlight.length = 0;
    this.#inFlightBytes = 0;
  }
}
