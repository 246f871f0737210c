import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { formatAddress, parseAddress } from '../src/wire/address.ts';
import { Link } from './link.ts';

/** Bytes that a caller may send before it has been put through. */
const MOST_EARLY = 65_536;

/** A CONNECT that has not been answered. */
interface Caller {
  readonly from: string;
  readonly to: string;
  readonly socket: Socket;
  readonly early: Buffer[];
  /** Not before this: the question and its answer take the delay of their links. */
  readonly due: number;
}

/** A tunnel that stands. */
interface Tunnel {
  readonly from: string;
  readonly to: string;
  readonly ends: readonly [Socket, Socket];
}

/**
 * The network between the nodes of a lab: an HTTP proxy through which they dial each other, so that every tunnel is
 * known by both of its ends, and every direction of it can be cut, delayed and broken.
 *
 * A cut looks like a lost network and not like a closed socket: bytes stand still, the end of a connection is not
 * heard of, and a new CONNECT gets no answer until the link is whole again.
 */
export class Switchboard {
  readonly #server: Server;
  readonly #ids = new Map<string, string>();
  readonly #links = new Map<string, Link>();
  readonly #delays = new Map<string, number>();
  /** What single links take beyond the delays of their ends, by their names. */
  readonly #linkDelays = new Map<string, number>();
  readonly #sockets = new Set<Socket>();
  readonly #callers = new Set<Caller>();
  readonly #tunnels = new Set<Tunnel>();

  constructor() {
    this.#server = createServer((_request, response) => {
      response.writeHead(405, { allow: 'CONNECT' }).end('this proxy connects the nodes of a raftline lab\n');
    });
    this.#server.on('connect', (request, socket, head) => this.#call(request, socket as Socket, head));
    this.#server.on('connection', socket => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  /** Listens on the loopback, on this port or on one that the system chooses; rejects when it is in use. */
  open(port = 0): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject).listen(port, '127.0.0.1', () => resolve());
    });
  }

  /** Makes a node known; only known nodes are put through. */
  register(id: string, address: string): void {
    this.#ids.set(formatAddress(parseAddress(address)), id);
  }

  /** Has no more to do with a node, which nobody is put through to from now on. */
  forget(id: string): void {
    for (const [address, other] of this.#ids) if (other === id) this.#ids.delete(address);
    for (const [name, { from, to }] of this.#links) if (from === id || to === id) this.#links.delete(name);
    this.#delays.delete(id);
    for (const caller of this.#callers) {
      if (caller.from !== id && caller.to !== id) continue;
      this.#callers.delete(caller);
      turnAway(caller.socket, NO_SUCH_NODE);
    }
  }

  /** What a node is given as its `--peer-proxy`. */
  proxyOf(id: string): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://${id}@127.0.0.1:${port}`;
  }

  /** The way from one node to another. A connection between them needs it, and the way back. */
  link(from: string, to: string): Link {
    const name = nameOf(from, to);
    let link = this.#links.get(name);
    if (link === undefined) {
      link = new Link(from, to);
      link.delay = this.#delayOf(from, to);
      this.#links.set(name, link);
    }
    return link;
  }

  /** Stops all bytes from one node to another; those in the other direction flow on. */
  cut(from: string, to: string): void {
    this.link(from, to).isCut = true;
  }

  /** Ends a cut of one direction. */
  mend(from: string, to: string): void {
    this.link(from, to).isCut = false;
    this.#putThrough();
  }

  /** Cuts every link between nodes of different groups, and mends all others; nodes in no group are one more group. */
  partition(groups: readonly (readonly string[])[]): void {
    const groupOf = (id: string) => groups.findIndex(group => group.includes(id));
    const ids = [...this.#ids.values()];
    for (const from of ids) {
      for (const to of ids) if (from !== to) this.link(from, to).isCut = groupOf(from) !== groupOf(to);
    }
    this.#putThrough();
  }

  /** Mends every link. Delays stay. */
  heal(): void {
    for (const link of this.#links.values()) link.isCut = false;
    this.#putThrough();
  }

  /** Whatever a node sends or is sent takes so many milliseconds; between two slow nodes, the sum of both. */
  delay(id: string, milliseconds: number): void {
    this.#delays.set(id, milliseconds);
    for (const link of this.#links.values()) link.delay = this.#delayOf(link.from, link.to);
  }

  /** Whatever one node sends to another takes so many milliseconds more. */
  delayLink(from: string, to: string, milliseconds: number): void {
    this.#linkDelays.set(nameOf(from, to), milliseconds);
    this.link(from, to).delay = this.#delayOf(from, to);
  }

  #delayOf(from: string, to: string): number {
    const own = this.#linkDelays.get(nameOf(from, to)) ?? 0;
    return own + (this.#delays.get(from) ?? 0) + (this.#delays.get(to) ?? 0);
  }

  /** Breaks the connections that stand between two nodes, as a reset does; they may dial again at once. */
  reset(a: string, b: string): void {
    for (const { from, to, ends } of this.#tunnels) {
      if ((from === a && to === b) || (from === b && to === a)) for (const end of ends) end.resetAndDestroy();
    }
  }

  /** The links that are cut, as pairs of from and to. */
  get cuts(): [from: string, to: string][] {
    return [...this.#links.values()].filter(link => link.isCut).map(link => [link.from, link.to]);
  }

  /** The nodes that are delayed, with their milliseconds. */
  get delays(): [id: string, milliseconds: number][] {
    return [...this.#delays].filter(([, milliseconds]) => milliseconds > 0);
  }

  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #call(request: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const from = userOf(request);
    if (from === undefined || ![...this.#ids.values()].includes(from)) {
      turnAway(socket, '407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="raftline"');
      return;
    }
    const to = this.#ids.get(request.url ?? '');
    if (to === undefined) {
      turnAway(socket, NO_SUCH_NODE);
      return;
    }
    const roundTrip = this.link(from, to).delay + this.link(to, from).delay;
    const caller = { from, to, socket, early: [head], due: performance.now() + roundTrip };
    this.#callers.add(caller);
    // Read meanwhile, or we would not hear that the caller has given up.
    let early = head.length;
    socket.on('data', bytes => {
      early += bytes.length;
      if (early > MOST_EARLY) socket.destroy();
      else caller.early.push(bytes);
    });
    socket.on('end', () => {
      if (this.#callers.has(caller)) socket.destroy();
    });
    socket.on('close', () => this.#callers.delete(caller));
    if (roundTrip > 0) setTimeout(() => this.#putThrough(), roundTrip + 1).unref();
    this.#putThrough();
  }

  /** Connects the callers whose time has come and whose links are whole in both directions. */
  #putThrough(): void {
    for (const caller of this.#callers) {
      const { from, to, due } = caller;
      if (due > performance.now() || this.link(from, to).isCut || this.link(to, from).isCut) continue;
      this.#callers.delete(caller);
      this.#connect(caller);
    }
  }

  #connect({ from, to, socket, early }: Caller): void {
    const address = [...this.#ids].find(([, id]) => id === to)?.[0] ?? '';
    const far = connect({ ...parseAddress(address), allowHalfOpen: true, noDelay: true });
    this.#sockets.add(far);
    const refused = () => turnAway(socket, '502 Nobody Listens There');
    socket.pause();
    far.once('error', refused);
    far.on('close', () => this.#sockets.delete(far));
    const gone = () => far.destroy();
    socket.once('close', gone);
    far.once('connect', () => {
      far.off('error', refused).on('error', () => far.destroy());
      socket.off('close', gone).removeAllListeners('data').setNoDelay(true);
      socket.write('HTTP/1.1 200 Connected\r\n\r\n');
      for (const bytes of early) far.write(bytes);
      const tunnel: Tunnel = { from, to, ends: [socket, far] };
      this.#tunnels.add(tunnel);
      for (const end of tunnel.ends) end.on('close', () => this.#tunnels.delete(tunnel));
      this.link(from, to).carry(socket, far);
      this.link(to, from).carry(far, socket);
    });
  }
}

const NO_SUCH_NODE = '404 No Such Node';

/** The name of a link, whose two ends are told apart. */
function nameOf(from: string, to: string): string {
  return `${from}>${to}`;
}

function turnAway(socket: Socket, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\n\r\n`, () => socket.destroy());
}

/** The user of `Proxy-Authorization: Basic`, which is the id of the node that dials. */
function userOf(request: IncomingMessage): string | undefined {
  const encoded = /^Basic (\S+)$/i.exec(request.headers['proxy-authorization'] ?? '')?.[1];
  return encoded && Buffer.from(encoded, 'base64').toString('utf8').split(':')[0];
}
