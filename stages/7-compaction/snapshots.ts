import type { Configuration } from '../../src/raft/configuration.ts';
import type { Position } from '../../src/raft/entry.ts';
import type { Install, Installed } from '../../src/raft/messages.ts';
import type { Progress } from '../../src/raft/progress.ts';
import type { State } from '../../src/raft/state.ts';

/** Election timeouts without an answer to any piece, after which a transfer under way gives way to a newer snapshot. */
const MOST_RETRIES = 20;

/**
 * Log compaction (§7).
 *
 * The problem: the log grows for ever, and a node that starts has to apply all of it. The rule: once the state that
 * the entries up to some index have made is on the disk as a snapshot, those entries may go; a node starts from
 * its snapshot and applies what follows. Each node does this by itself, since what is applied is committed, and no
 * leader can want it otherwise. A follower that lacks entries which its leader no longer has is sent the leader's
 * snapshot instead, piece by piece, and goes on from there: what its log held beyond, it keeps if the log has the
 * very entry that the snapshot ends with, and throws away otherwise.
 *
 * It rests on the order of two writes: the snapshot is durable under its name before anything that it stands for
 * goes; and on nothing being replaced before the new snapshot is there whole: a node that has a part of one answers
 * and votes by the log that it has.
 *
 * A transfer has one piece under way at a time, and each answer tells where the next is to begin: so it is never
 * faster than its receiver, a lost or repeated message costs a piece, and after a break it goes on where it was.
 * Heartbeats and the other followers' entries travel between the pieces.
 */
export class Snapshots {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  /** At the leader: a node lacks what the log no longer has, so it is to get the snapshot. */
  begin(progress: Progress): void {
    const { snapshot } = this.#state;
    const { transfer } = progress;
    // One that is under way is finished, though a newer one exists, as long as its receiver moves: or where
    // snapshots come faster than they arrive, none ever would.
    const goesOn =
      transfer !== undefined &&
      (transfer.snapshot.index === snapshot.index || transfer.retries < MOST_RETRIES);
    progress.install(
      goesOn && transfer.snapshot.index > progress.match
        ? { ...transfer, retries: transfer.retries + 1 }
        : { snapshot, offset: 0, retries: 0 },
    );
  }

  /** At the leader: snapshots that are on their way; their files are needed, and the log behind them. */
  get underWay(): readonly Position[] {
    return [...this.#state.progress.values()].flatMap(({ mode, transfer }) =>
      mode === 'snapshot' && transfer !== undefined ? [transfer.snapshot] : [],
    );
  }

  /** At the leader: the file of a snapshot is damaged, so those who are being sent it get another. */
  forsake({ index }: Position): void {
    for (const progress of this.#state.progress.values()) {
      if (progress.transfer?.snapshot.index === index) progress.transfer = undefined;
    }
  }

  /** Sends each node that waits for one its next piece. */
  broadcast(): void {
    const { progress: nodes, term } = this.#state;
    for (const [id, progress] of nodes) {
      const { mode, transfer, isWaiting } = progress;
      if (mode !== 'snapshot' || isWaiting) continue;
      if (transfer === undefined) {
        this.begin(progress);
        continue;
      }
      progress.isWaiting = true;
      const { index: lastIndex, term: lastTerm } = transfer.snapshot;
      const piece = { lastIndex, lastTerm, offset: transfer.offset, piece: [], bytes: 0, hash: '' };
      this.#state.send(id, { type: 'install', term, ...piece });
    }
  }

  onInstall(from: string, message: Install): void {
    const { commit, term } = this.#state;
    this.#state.checkCommitted(from, { index: message.lastIndex, term: message.lastTerm });
    // What is committed here agrees with every leader, so an older snapshot has nothing to tell.
    if (message.lastIndex <= commit) this.#state.sendDurable(from, { type: 'appended', term, match: commit });
    else this.#state.receive(message);
  }

  onInstalled(from: string, { lastIndex, offset }: Installed): void {
    const progress = this.#state.progress.get(from);
    const transfer = progress?.transfer;
    if (progress?.mode !== 'snapshot' || transfer?.snapshot.index !== lastIndex) return;
    // The very piece that is under way is asked for: the answer is old, or the node cannot take it yet.
    if (offset === transfer.offset) return;
    transfer.offset = offset;
    transfer.retries = 0;
    progress.silence = 0;
    progress.isWaiting = false;
  }

  /** At a follower: so much of a snapshot has been put together. */
  received({ index: lastIndex, term: lastTerm }: Position, offset: number): void {
    const { leader, role, term } = this.#state;
    if (leader === null || role !== 'follower') return;
    this.#state.send(leader, { type: 'installed', term, lastIndex, lastTerm, offset });
  }

  /** Whether a snapshot would bring this node forward. */
  wants({ index }: Position): boolean {
    return this.#state.role !== 'leader' && index > this.#state.commit;
  }

  /**
   * A snapshot that came is durable here, and takes the place of what this node has. Returns whether the log on the
   * disk goes on, since it has the entry that the snapshot ends with; else it is to begin anew.
   */
  restore(snapshot: Position, configuration: Configuration): boolean {
    const isContinued = this.#state.restore(snapshot, configuration);
    const { leader, term } = this.#state;
    if (leader !== null) this.#state.sendDurable(leader, { type: 'appended', term, match: snapshot.index });
    return isContinued;
  }

  /**
   * A snapshot of this node's own is durable, and the log may begin behind `base`. Returns where it does begin: a
   * node that is being sent an older snapshot will need what follows that.
   */
  compact(snapshot: Position, base: number): Position {
    const needed = this.underWay.map(({ index }) => index);
    this.#state.compact(snapshot, Math.min(base, ...needed));
    return this.#state.log.base;
  }
}
