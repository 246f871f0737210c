import { writeSync } from 'node:fs';
import { format } from 'node:util';
import { complain, count } from '../client/cli/print.ts';
import type { Call, Verb } from '../client/cli/verb.ts';
import { DataError } from '../src/node/data-error.ts';
import { LOST_DATA } from '../src/node/handshake.ts';
import type { Belonging, NodeOptions, RunningNode } from '../src/node/options.ts';
import { forbidPretenuring } from '../src/node/pretenuring.ts';
import { TRANSPORTS, type TransportName } from '../src/node/transports.ts';
import { Contradiction } from '../src/raft/contradiction.ts';
import { LostEntries } from '../src/raft/lost-entries.ts';
import {
  formatAddress,
  isNodeId,
  NODE_ID_RULE,
  type NodeAddress,
  parseAddress,
  parseNodes,
} from '../src/wire/address.ts';
import { RaftlineError, refuse } from '../src/wire/errors.ts';
import { OPS } from '../src/wire/ops.ts';
import { nearestId } from '../src/wire/text.ts';
import { FIRST_STAGE_WITH_DATA, STAGES, type Stage } from '../stages/stages.ts';
import { COMPACTION_FLAGS, readLimits } from './compaction-flags.ts';
import { HISTORY_FLAGS, readHistory } from './history-flags.ts';
import { parseRendezvous } from './rendezvous.ts';
import { readTiming, TIMING_FLAGS } from './timing-flags.ts';

/** Milliseconds after which a shutdown that hangs is cut short, and a start that hangs once it is told to stop. */
const PATIENCE = 10_000;
const START_PATIENCE = 2_000;

const lastStage = STAGES.at(-1)?.number ?? 0;

/** `raftline serve`: one node, in this process, until it is told to stop. */
export const serve: Verb = {
  name: 'serve',
  about: 'runs one node',
  usage:
    'serve [--id n1] [--listen 127.0.0.1:7001] [--nodes n1=…,n2=… | --join A | --discovery A/TOKEN] [--data DIR]',
  details: `Prints one line when it listens, and one when it waits for a cluster, has lost its data or is taken out of its own. SIGTERM or Ctrl-C shuts it down: replies under way leave first; a second
signal ends it at once. Stages before ${FIRST_STAGE_WITH_DATA} keep nothing on disk: what they hold is gone when they stop.
From stage ${OPS.init.stage} on, a node with neither --nodes nor data waits for init, or for a cluster that adds it.

With --join it asks a cluster to take it in: it becomes a learner, and a voter once it has everything. With --discovery
the nodes of a new cluster find each other through one that runs: the first --size to come are its voters, and whoever
comes later is a learner. Both are harmless on restart.

  raftline serve --stage 0
  raftline serve --data ./data --nodes n1=127.0.0.1:7001
  raftline serve --id n4 --listen 10.0.0.4:7001 --join 10.0.0.1:7001 --data /var/lib/raftline
  raftline serve --id a --listen 10.0.1.1:7001 --discovery 10.0.0.1:7001/orders --size 3 --data ./a
  raftline serve --id n2 --nodes n1=10.0.0.1:7001,n2=10.0.0.2:7001,n3=10.0.0.3:7001 --data ./n2`,
  flags: {
    id: { type: 'string', value: 'ID', about: 'this node, one of --nodes; n1 where it is alone' },
    listen: {
      type: 'string',
      value: 'ADDRESS',
      about: 'where it listens; its address in --nodes, or 127.0.0.1:7001',
    },
    nodes: {
      type: 'string',
      value: 'n1=…,n2=…',
      about: 'every node of the cluster, this one included, the same list at each',
    },
    join: {
      type: 'string',
      value: 'A[,B…]',
      about: 'members of a cluster that is to take this node in',
    },
    discovery: {
      type: 'string',
      value: 'A[,B…]/TOKEN',
      about: 'a cluster through which the nodes of a new one find each other, and the name of the new one',
    },
    size: {
      type: 'integer',
      value: 'N',
      about: 'with --discovery: how many nodes begin the cluster',
      least: 1,
    },
    data: {
      type: 'string',
      value: 'DIR',
      about: `the folder that keeps its log; needed from stage ${FIRST_STAGE_WITH_DATA} on, unused before`,
    },
    stage: {
      type: 'integer',
      value: 'N',
      about: `which stage to run (${STAGES.map(each => each.number).join(', ')}); ${lastStage} unless told`,
    },
    transport: {
      type: 'string',
      value: TRANSPORTS.join('|'),
      about:
        'how nodes speak to each other, the same at each (RAFTLINE_TRANSPORT, or lines; at stage 3 grpc)',
    },
    'grpc-listen': {
      type: 'string',
      value: 'ADDRESS',
      about: 'one more address, where clients may speak gRPC',
    },
    ...TIMING_FLAGS,
    ...COMPACTION_FLAGS,
    ...HISTORY_FLAGS,
    'peer-proxy': {
      type: 'string',
      value: 'http://ID@ADDRESS',
      about: 'an HTTP proxy (CONNECT) through which it dials other nodes; the lab cuts links with it',
    },
    'stop-with-stdin': {
      type: 'boolean',
      about: 'stops when its standard input ends, so that it never outlives what started it',
    },
  },
  words: [0, 0],
  run: async call => {
    // Whoever reads our output may go away; the node stays.
    process.stdout.on('error', () => {});
    process.stderr.on('error', () => {});
    try {
      const stage = readStage(call);
      const options = readOptions(call, stage);
      try {
        const entry = readEntry(call, stage, options);
        await serveUntilTold(stage, options, entry, call.flags['stop-with-stdin'] === true);
      } finally {
        // An open pipe would keep this process alive.
        process.stdin.destroy();
      }
      return 0;
    } catch (error) {
      const known = knownFailure(error);
      if (known === undefined) throw error;
      complain(`serve: ${known.message}`);
      return known.status;
    }
  },
};

function readStage({ flags }: Call): Stage {
  const number = flags.stage === undefined ? lastStage : Number(flags.stage);
  const stage = STAGES.find(candidate => candidate.number === number);
  if (stage !== undefined) return stage;
  const known = STAGES.map(each => each.number).join(', ');
  refuse('BAD_REQUEST', `--stage ${flags.stage}: there is no such stage yet; this raftline has ${known}`);
}

function readOptions(call: Call, stage: Stage): NodeOptions {
  const { flags } = call;
  const text = (name: string) => (flags[name] === undefined ? undefined : String(flags[name]));
  const named = <T>(name: string, read: (value: string) => T): T | undefined => {
    const value = text(name);
    try {
      return value === undefined ? undefined : read(value);
    } catch (error) {
      if (error instanceof RaftlineError) refuse('BAD_REQUEST', `--${name}: ${error.message}`);
      throw error;
    }
  };
  const nodes = named('nodes', parseNodes);
  const id = readId(text('id'), nodes);
  const own = nodes?.find(node => node.id === id)?.address ?? '127.0.0.1:7001';
  const listen = named('listen', parseAddress) ?? parseAddress(own);
  const peerProxy = named('peer-proxy', readProxy);
  const data = text('data');
  const timing = readTiming(call);
  const usual = process.env.RAFTLINE_TRANSPORT || undefined;
  const transport =
    named('transport', name => readTransport(name, stage)) ??
    (usual === undefined || stage.number === 3 ? undefined : readTransport(usual, stage));
  const grpcListen = named('grpc-listen', parseAddress);
  const limits = readLimits(call);
  const history = readHistory(call);
  if (stage.nodes === 1 && nodes !== undefined && nodes.length > 1) {
    refuse(
      'BAD_REQUEST',
      `--nodes: stage ${stage.number} (${stage.title}) runs one node, not ${nodes.length}`,
    );
  }
  if (stage.nodes > 1 && nodes === undefined && stage.number < OPS.init.stage) {
    refuse(
      'BAD_REQUEST',
      `--nodes is missing: stage ${stage.number} needs every node of the cluster, the leader first`,
    );
  }
  if (stage.number >= FIRST_STAGE_WITH_DATA && !data) {
    refuse('BAD_REQUEST', `--data is missing: stage ${stage.number} needs a folder for this node's log`);
  }
  return {
    id,
    listen,
    ...(nodes && { nodes }),
    ...(transport && { transport }),
    ...(grpcListen && { grpcListen }),
    ...(peerProxy && { peerProxy }),
    ...(timing && { timing }),
    ...(limits && { limits }),
    ...(history && { history }),
    ...(data && stage.number >= FIRST_STAGE_WITH_DATA && { data }),
  };
}

/** How a node that has no cluster gets into one, while it runs; resolves when that is done. */
type Entry = (self: NodeAddress, say: (text: string) => void, signal: AbortSignal) => Promise<void>;

function readEntry({ flags }: Call, stage: Stage, { listen, data, nodes }: NodeOptions): Entry | undefined {
  const { join, discovery, size } = flags;
  const given = Object.entries({ nodes, join, discovery }).filter(([, value]) => value !== undefined);
  const names = given.map(([name]) => `--${name}`);
  if (names.length > 1) refuse('BAD_REQUEST', `${names.join(' and ')} are two ways into a cluster: give one`);
  if (size !== undefined && discovery === undefined) refuse('BAD_REQUEST', '--size goes with --discovery');
  if (join === undefined && discovery === undefined) return undefined;
  const first = OPS['add-learner'].stage;
  if (stage.number < first || data === undefined) {
    refuse('BAD_REQUEST', `${names[0]}: members are fixed before stage ${first}; this is ${stage.number}`);
  }
  if (listen.host === '0.0.0.0' || listen.host === '::') {
    const words = `--listen ${formatAddress(listen)} is no address at which other nodes can dial this one`;
    refuse('BAD_REQUEST', `${words}: name the one that they are to use`);
  }
  if (join !== undefined) {
    return async (self, say, signal) => {
      const { joinCluster } = await import('./join.ts');
      const { DataDirectory } = await import('../src/node/data-directory.ts');
      const { DISK } = await import('../src/node/file-system.ts');
      const cluster = new DataDirectory(DISK, data).identity()?.cluster;
      await joinCluster({ self, through: String(join), cluster, wantsVote: true, say, signal });
    };
  }
  if (size === undefined) refuse('BAD_REQUEST', '--size is missing: how many nodes begin the cluster?');
  const rendezvous = parseRendezvous(String(discovery));
  return async (self, say, signal) => {
    const { discover } = await import('./discovery.ts');
    await discover({ rendezvous, size: Number(size), self, data, say, signal });
  };
}

function readId(id: string | undefined, nodes: readonly NodeAddress[] | undefined): string {
  const known = nodes?.map(node => node.id);
  if (id === undefined) {
    if (known !== undefined && known.length > 1) {
      refuse('BAD_REQUEST', `--id is missing: which of ${known.join(', ')} is this node?`);
    }
    return known?.[0] ?? 'n1';
  }
  if (!isNodeId(id)) refuse('BAD_REQUEST', `--id ${JSON.stringify(id)}: use ${NODE_ID_RULE}`);
  if (known !== undefined && !known.includes(id)) {
    const near = nearestId(id, known);
    const hint = near === undefined ? `it has ${known.join(', ')}` : `did you mean ${near}?`;
    refuse('BAD_REQUEST', `--id ${id} is not in --nodes: ${hint}`);
  }
  return id;
}

function readProxy(text: string): string {
  const match = /^http:\/\/([^@/]+)@(.+)$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined || !isNodeId(match[1])) {
    refuse('BAD_REQUEST', `${JSON.stringify(text)} is not http://ID@host:port`);
  }
  return `http://${match[1]}@${formatAddress(parseAddress(match[2]))}`;
}

function readTransport(name: string, stage: Stage): TransportName {
  const transport = TRANSPORTS.find(known => known === name);
  if (transport === undefined) {
    refuse(
      'BAD_REQUEST',
      `${JSON.stringify(name)}: there is no such transport; say ${TRANSPORTS.join(' or ')}`,
    );
  }
  if (stage.number === 3 && transport !== 'grpc') {
    refuse('BAD_REQUEST', `${transport}: stage 3 is the one over gRPC; stage 2 is the same over lines`);
  }
  return transport;
}

interface Known {
  readonly message: string;
  readonly status: number;
}

/** What kept a node from starting, in words with the exit status; undefined for a fault of its own. */
function knownFailure(error: unknown): Known | undefined {
  if (error instanceof RaftlineError) return { message: error.message, status: 2 };
  if (error instanceof DataError) return { message: error.message, status: 1 };
  return listenFailure(error);
}

function listenFailure(error: unknown): Known | undefined {
  const { syscall, code, address, port, hostname } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
    hostname?: string;
  };
  const isLookup = syscall === 'getaddrinfo';
  if (syscall !== 'listen' && syscall !== 'bind' && !isLookup) return undefined;
  const at = address === undefined ? hostname : formatAddress({ host: address, port: port ?? 0 });
  if (code === 'EADDRINUSE') {
    return {
      message: `${at} is in use: stop what listens there, or choose another with --listen`,
      status: 3,
    };
  }
  if (code === 'EACCES')
    return { message: `${at} is not allowed: ports below 1024 need privileges`, status: 2 };
  if (isLookup || code === 'EADDRNOTAVAIL') {
    return { message: `cannot listen: ${at} is not an address of this machine (${code})`, status: 2 };
  }
  return { message: `cannot listen: ${(error as Error).message}`, status: 3 };
}

async function serveUntilTold(
  stage: Stage,
  options: NodeOptions,
  entry: Entry | undefined,
  stopWithStdin: boolean,
): Promise<void> {
  const words = (text: string) => `raftline ${options.id} ${text}`;
  process.on('uncaughtException', error => {
    if (error instanceof LostEntries || error instanceof Contradiction)
      lastWords(`raftline: ${error.message}`);
    else lastWords(words(`stops, because of a fault in it: ${format(error)}`));
    process.exit(1);
  });
  // From here on, so that a signal that comes while the node still starts is not lost.
  const told = untilTold(stopWithStdin);
  let isStarting = true;
  void told.then(() => {
    const still = () => {
      if (isStarting) cutShort(words('did not start before it was told to stop, and ends'));
    };
    setTimeout(still, START_PATIENCE).unref();
  });
  const { start } = await stage.load();
  // Not before the modules: Node has compiled its own ahead, for the flags that it starts with.
  forbidPretenuring();
  const node: RunningNode = await start(options);
  isStarting = false;
  const size = options.nodes?.length ?? (stage.nodes === 1 ? 1 : undefined);
  const nodes = size === undefined ? '' : `, ${count(size, 'node')}`;
  const beside = node.grpcAddress === undefined ? '' : `, for gRPC on ${node.grpcAddress}`;
  console.log(words(`listens on ${node.address} (stage ${stage.number}${nodes})${beside}`));
  let before: Belonging = 'member';
  node.onBelonging?.(belonging => {
    // With a way in of its own a node tells of each step by itself, until it is put out.
    const isStep = belonging === 'waiting' || belonging === 'member';
    const isToldElsewhere = entry !== undefined && before !== 'removed' && isStep;
    if (belonging !== before && !isToldElsewhere) console.log(words(saying(belonging, stage)));
    before = belonging;
  });
  const leaving = new AbortController();
  const self = { id: options.id, address: node.address };
  const entering = entry?.(self, text => console.log(words(text)), leaving.signal) ?? Promise.resolve();
  // What keeps it out of the cluster for good ends it, as a wrong flag would.
  const refusal = await Promise.race([told, entering.then(() => told)]).catch((error: unknown) => error);
  leaving.abort();
  const seconds = PATIENCE / 1_000;
  setTimeout(() => cutShort(words(`did not shut down within ${seconds} s, and ends`)), PATIENCE).unref();
  await Promise.all([node.close(), entering.catch(() => {})]);
  if (refusal !== undefined) throw refusal;
}

/** How a node stands to its cluster, in words that follow its name. */
function saying(belonging: Belonging, { number }: Stage): string {
  const canBeAdded = number >= OPS['add-learner'].stage;
  switch (belonging) {
    case 'waiting':
      return `waits for a cluster: ${canBeAdded ? 'let one add it (raftline add-learner), or ' : ''}make one (raftline init)`;
    case 'lost':
      return LOST_DATA;
    case 'member':
      return 'is a member of a cluster now';
    case 'removed':
      return 'was removed from its cluster, and serves nobody: stop it, or add it again with add-learner';
  }
}

/** Resolves at the first signal, or when standard input ends if that counts; a second signal ends the process. */
function untilTold(stopWithStdin: boolean): Promise<void> {
  return new Promise(resolve => {
    let isTold = false;
    for (const [signal, status] of [
      ['SIGTERM', 143],
      ['SIGINT', 130],
      ['SIGHUP', 129],
    ] as const) {
      process.on(signal, () => {
        if (isTold) process.exit(status);
        isTold = true;
        resolve();
      });
    }
    if (!stopWithStdin) return;
    const ended = () => {
      isTold = true;
      resolve();
    };
    process.stdin.on('end', ended).on('error', ended).on('close', ended).resume();
  });
}

function cutShort(text: string): never {
  lastWords(text);
  process.exit(1);
}

/** Writes at once, since the process is about to end; where nobody takes it, it is lost. */
function lastWords(text: string): void {
  try {
    writeSync(2, `${text}\n`);
  } catch {
    // Nobody reads standard error, and there is nowhere else to say it.
  }
}
