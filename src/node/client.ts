import type { News } from './news.ts';

/** Where a request came from, and where more than its reply can go, for as long as the connection lasts. */
export interface Client {
  /** Sends something that is no reply, behind what was sent before; `watch` says to which watch it belongs. */
  push(news: News, watch?: number): void;
  /** True while it should take some of what it was sent before it is pushed more. */
  readonly isFull: boolean;
  /** True once nothing that is sent will reach it any more. */
  readonly isGone: boolean;
  /** Tells a follower what becomes of it, from now on. */
  follow(follower: Follower): void;
  unfollow(follower: Follower): void;
}

/** Who pushes to a client. */
export interface Follower {
  /** There is room for more again. */
  onRoom(): void;
  /** Nothing that is pushed will reach it any more. */
  onGone(): void;
  /** This node stops, and closes the connection: the last moment to say something. */
  onShutDown(): void;
}
