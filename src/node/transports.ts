import { formatAddress } from '../wire/address.ts';
import { dialLines } from './link.ts';
import type { NodeOptions } from './options.ts';
import type { Dial } from './peers.ts';
import type { LineServer } from './server.ts';

/** How nodes speak to each other; clients may always speak lines. */
export const TRANSPORTS = ['lines', 'grpc'] as const;
export type TransportName = (typeof TRANSPORTS)[number];

/** How this node dials others. gRPC is loaded only where it is used: it takes longer to load than all the rest. */
export async function dialOf({ transport, peerProxy }: NodeOptions): Promise<Dial> {
  if (transport !== 'grpc') return dialLines(peerProxy);
  const { dialGrpc } = await import('./grpc/link.ts');
  return dialGrpc(peerProxy);
}

/** Where a node listens, with the ports that were opened. */
export interface Opened {
  readonly address: string;
  /** For gRPC beside, if it does. */
  readonly grpcAddress?: string;
}

/**
 * Opens a server of lines, and gRPC where the options ask for it: on the lines' own address when nodes speak it, and
 * for clients at one more.
 */
export async function listen(server: LineServer, options: NodeOptions): Promise<Opened> {
  const grpcAddress = await openGrpc(server, options);
  try {
    const port = await server.listen(options.listen);
    const address = formatAddress({ host: options.listen.host, port });
    return { address, ...(grpcAddress !== undefined && { grpcAddress }) };
  } catch (error) {
    for (const gate of server.gates) gate.shutDown();
    throw error;
  }
}

async function openGrpc(
  server: LineServer,
  { transport, grpcListen }: NodeOptions,
): Promise<string | undefined> {
  if (transport !== 'grpc' && grpcListen === undefined) return undefined;
  const { GrpcListener, GrpcServer } = await import('./grpc/door.ts');
  if (transport === 'grpc') server.gates.push(new GrpcServer(server, true));
  if (grpcListen === undefined) return undefined;
  const listener = new GrpcListener(server);
  const port = await listener.listen(grpcListen);
  server.gates.push(listener);
  return formatAddress({ host: grpcListen.host, port });
}
