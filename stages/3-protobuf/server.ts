import type { NodeOptions, RunningNode } from '../../src/node/options.ts';
import { start as startNaive } from '../2-naive-replication/server.ts';

/** Starts a node of stage 3: that of stage 2, whose nodes speak gRPC, as clients may. */
export function start(options: NodeOptions): Promise<RunningNode> {
  return startNaive({ ...options, transport: 'grpc' }, 3);
}
