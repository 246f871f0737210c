import { refuse } from './errors.ts';
import { shortened } from './text.ts';

/** Where a node listens. `host` has no brackets; `port` is 0 only where the system is to choose one. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A node of the cluster, as a list of nodes names it. */
export interface NodeAddress {
  readonly id: string;
  readonly address: string;
}

/**
 * Reads `host:port` or `[::1]:port`; a `tcp://` or `http://` prefix (and a slash that ends it) is dropped.
 * Throws BAD_REQUEST with what is wrong and how an address looks.
 */
export function parseAddress(text: string): Address {
  const plain = text
    .trim()
    .replace(/^(?:tcp|http):\/\//i, '')
    .replace(/\/$/, '');
  const match = /^(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(plain);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535 || !plain.isWellFormed()) {
    const why = port > 65_535 ? `port ${port} is beyond 65535` : hint(plain);
    refuse('BAD_REQUEST', `${JSON.stringify(shortened(text))} is not an address: ${why}`);
  }
  return { host: match[1] ?? match[2] ?? '', port };
}

function hint(plain: string): string {
  if (/^[0-9A-Fa-f:]*::[0-9A-Fa-f:.]*$/.test(plain)) return 'write IPv6 in brackets, as [::1]:7001';
  if (/^[^\s:/]+$/.test(plain)) return `it has no port; write it as ${shortened(plain)}:7001`;
  return 'write host:port or [::1]:port';
}

/** The canonical text of an address: `host:port`, IPv6 in brackets. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A node id: 1 to 64 of A-Z a-z 0-9 . _ -, and neither `.` nor `..`, since ids become names of files. */
export function isNodeId(text: string): boolean {
  return /^[A-Za-z0-9._-]{1,64}$/.test(text) && text !== '.' && text !== '..';
}

/** What a node id is made of, in words that follow "use". */
export const NODE_ID_RULE = '1 to 64 of A-Z a-z 0-9 . _ -, but neither . nor .. alone';

/** Reads `n1=127.0.0.1:7001,n2=…`. Throws BAD_REQUEST that names the item that is wrong. */
export function parseNodes(text: string): NodeAddress[] {
  const nodes = text.split(',').map(item => {
    const at = item.indexOf('=');
    if (at === -1) refuse('BAD_REQUEST', `${JSON.stringify(shortened(item))} is not id=host:port`);
    const id = item.slice(0, at).trim();
    if (!isNodeId(id)) {
      const said = JSON.stringify(shortened(id));
      refuse('BAD_REQUEST', `${said} is not a node id: use ${NODE_ID_RULE}`);
    }
    return { id, address: formatAddress(parseAddress(item.slice(at + 1))) };
  });
  checkNodes(nodes);
  return nodes;
}

/** Refuses a list of nodes in which one is named twice, or that nobody could dial. */
export function checkNodes(nodes: readonly NodeAddress[]): void {
  for (const { id, address } of nodes) {
    if (address.endsWith(':0')) refuse('BAD_REQUEST', `${id} has port 0; other nodes need to know its port`);
  }
  for (const field of ['id', 'address'] as const) {
    const seen = new Set<string>();
    for (const node of nodes) {
      if (seen.has(node[field])) refuse('BAD_REQUEST', `${node[field]} is listed twice`);
      seen.add(node[field]);
    }
  }
}
