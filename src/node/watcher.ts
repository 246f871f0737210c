import type { Client } from './client.ts';
import type { News } from './news.ts';
import type { WatchGroup } from './watch-groups.ts';

/** One watch of keys. */
export class Watcher {
  readonly client: Client;
  /** Its number among those of its client. */
  readonly number: number;
  readonly group: WatchGroup;
  /** No revision before this one is its business any more. */
  next: number;
  /** It goes through the history by itself, at its client's pace, and joins the others when it has reached them. */
  isBehind = true;
  /** Until it has reached the others for the first time: it was asked to begin in the past, and is not slow. */
  isReplaying = true;
  /** Characters that the others were told, and it was not, since it fell behind. */
  owed = 0;
  /** When it was last told something. */
  toldAt: number;

  constructor(client: Client, number: number, group: WatchGroup, next: number, now: number) {
    this.client = client;
    this.number = number;
    this.group = group;
    this.next = next;
    this.toldAt = now;
  }

  tell(news: News, now: number): void {
    this.toldAt = now;
    this.client.push(news, this.number);
  }
}

/** One watch of the cluster: who leads it, and who is in it. */
export interface ClusterWatcher {
  readonly client: Client;
  readonly number: number;
  toldAt: number;
}
