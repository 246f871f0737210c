import type { NodeOptions, RunningNode } from '../../src/node/options.ts';
import { start as startKv } from '../0-kv/server.ts';

/** Starts a node of stage 1: the server of stage 0. What this stage adds is the client that talks to it. */
export function start(options: NodeOptions): Promise<RunningNode> {
  return startKv(options, 1);
}
