import { anyPort, areFree } from '../lab/ports.ts';

/** So many ports, one after the other, that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  for (;;) {
    const first = anyPort();
    const ports = Array.from({ length: count }, (_, at) => first + at);
    if (await areFree(ports)) return ports;
  }
}
