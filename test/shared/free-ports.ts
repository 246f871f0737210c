import { once } from 'node:events';
import { createServer } from 'node:net';
import { anyPort, areFree, blocks } from '../../lab/ports.ts';

/**
 * Ports that nobody listens on, for this process alone while it runs: like a lab's cluster it holds the block that
 * they are of, so that a node may come and go on its port beside other tests and their clusters.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  for (const { ports, claim } of blocks(anyPort(), count)) {
    if ((await hold(claim)) && (await areFree(ports))) return ports;
  }
  throw new Error(`no ${count} free ports`);
}

export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

/** Addresses on this machine that nobody uses. */
export async function freeAddresses(count: number): Promise<readonly string[]> {
  return (await freePorts(count)).map(port => `127.0.0.1:${port}`);
}

export async function freeAddress(): Promise<string> {
  const [address = ''] = await freeAddresses(1);
  return address;
}

/** Keeps a port open for as long as this process lives; false when somebody else has it. */
async function hold(port: number): Promise<boolean> {
  const server = createServer(socket => socket.destroy()).unref();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return true;
  } catch {
    return false;
  }
}
