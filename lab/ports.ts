import { createServer } from 'node:net';

/** Ports of a cluster come in blocks of this many, or a multiple of it; the last of a block is its switchboard's. */
const BLOCK = 10;

/** A block of ports: some for nodes, and one that whoever holds the block keeps open. */
export interface Block {
  readonly ports: readonly number[];
  /** Held for as long as the cluster lives, also while a node of it is down: so two clusters never share a block. */
  readonly claim: number;
}

/** The blocks from this port upwards, each with room for so many nodes. */
export function* blocks(first: number, nodes: number): Generator<Block> {
  const size = Math.ceil((nodes + 1) / BLOCK) * BLOCK;
  for (let port = first; port + size <= 65_536; port += size) {
    yield {
      ports: Array.from({ length: nodes }, (_, at) => port + at),
      claim: port + size - 1,
    };
  }
}

/**
 * Where to begin to look when any ports will do. Below the range from which systems take the ports of outgoing
 * connections: one of those could take a node's port while the node is down, or a redial could meet itself there.
 */
export function anyPort(): number {
  return 12_001 + Math.floor(Math.random() * 1_800) * BLOCK;
}

/** Whether all of these ports can be listened on now. */
export async function areFree(ports: readonly number[]): Promise<boolean> {
  for (const port of ports) if (!(await isFree(port))) return false;
  return true;
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
