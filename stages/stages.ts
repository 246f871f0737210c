import type { NodeOptions, RunningNode } from '../src/node/options.ts';

/** A stage that `serve` and the lab can run. */
export interface Stage {
  readonly number: number;
  /** What it adds, in a few words. */
  readonly title: string;
  /** How many nodes the lab starts when nobody says. */
  readonly nodes: number;
  /** Loads its server; only the stage that runs is loaded. */
  readonly load: () => Promise<{ start: (options: NodeOptions) => Promise<RunningNode> }>;
}

/** The stage from which a node keeps its log on disk, and so needs a folder. */
export const FIRST_STAGE_WITH_DATA = 4;

/** The stages, in order; the last one is the default. */
export const STAGES: readonly Stage[] = [
  { number: 0, title: 'a key-value server', nodes: 1, load: () => import('./0-kv/server.ts') },
  { number: 1, title: 'a client', nodes: 1, load: () => import('./1-client/server.ts') },
  {
    number: 2,
    title: 'naive replication',
    nodes: 5,
    load: () => import('./2-naive-replication/server.ts'),
  },
  { number: 3, title: 'protobuf and gRPC', nodes: 5, load: () => import('./3-protobuf/server.ts') },
  {
    number: 4,
    title: 'log replication',
    nodes: 5,
    load: () => import('./4-log-replication/server.ts'),
  },
  { number: 5, title: 'heartbeats', nodes: 5, load: () => import('./5-heartbeats/server.ts') },
  { number: 6, title: 'election', nodes: 5, load: () => import('./6-election/server.ts') },
  { number: 7, title: 'compaction', nodes: 5, load: () => import('./7-compaction/server.ts') },
  { number: 8, title: 'membership', nodes: 5, load: () => import('./8-membership/server.ts') },
];
