import type { HistoryBounds } from '../kv/history.ts';
import type { Timing } from '../raft/timing.ts';
import type { Address, NodeAddress } from '../wire/address.ts';
import type { CompactionLimits } from './compaction.ts';
import type { ServerOptions } from './server.ts';
import type { Opened, TransportName } from './transports.ts';

/** How a node is started, at whatever stage. */
export interface NodeOptions extends ServerOptions {
  readonly id: string;
  readonly listen: Address;
  /** Every node of the cluster, this one included; the same list at each. Left out where a node is alone. */
  readonly nodes?: readonly NodeAddress[];
  /** How it speaks to other nodes; `lines` unless told. */
  readonly transport?: TransportName;
  /** Where clients find it over gRPC, beside the lines. */
  readonly grpcListen?: Address;
  /** An HTTP proxy for the links to other nodes, as `http://ID@host:port`; without it they are dialled directly. */
  readonly peerProxy?: string;
  /** The folder that keeps its log and its vote, at the stages that have one. */
  readonly data?: string;
  /** From stage 5; heartbeats every 100 ms and elections after 500 to 1,000 ms unless told. */
  readonly timing?: Timing;
  /** From stage 7: after how much its log is compacted. */
  readonly limits?: CompactionLimits;
  /** From stage 4: how many of the latest revisions it keeps for those who watch. */
  readonly history?: HistoryBounds;
}

/** How a node stands to its cluster: it has none yet, has lost the data by which one knows it, is a member, or was one. */
export type Belonging = 'waiting' | 'lost' | 'member' | 'removed';

/** A node that runs in this process. */
export interface RunningNode extends Opened {
  /** Where that may change, from stage 6 on: calls back with what it is, and whenever it is another. */
  onBelonging?(hear: (belonging: Belonging) => void): void;
  /** Lets the replies under way leave, closes everything, and resolves when nothing is left. */
  close(): Promise<void>;
}
