import { ask } from './ask.ts';
import type { Cluster } from './cluster.ts';
import type { NodeProcess } from './node-process.ts';
import { describeExit } from './node-process.ts';
import { table } from './table.ts';

/** Milliseconds that a node has to tell its status. */
const STATUS_PATIENCE = 1_000;
/** The longest delay of a link that makes sense. */
const MOST_DELAY = 60_000;

/** Something to do to the cluster. `run` gives what to print; what it throws is printed too. */
export interface Command {
  readonly usage: string;
  readonly about: string;
  readonly run: (cluster: Cluster, rest: string) => Promise<string> | string;
  /** Whether it is meant, where a verb about keys has the same name; always unless told. */
  readonly isMeant?: (cluster: Cluster, rest: string) => boolean;
}

/** Does the same to every node that is named, one after the other. */
function toNodes(done: string, act: (node: NodeProcess) => Promise<void> | void): Command['run'] {
  return async (cluster, rest) => {
    const nodes = idsIn(rest).map(id => cluster.node(id));
    if (nodes.length === 0) throw new Error(`which node? There are ${cluster.ids.join(', ')}`);
    const lines: string[] = [];
    for (const node of nodes) {
      await act(node);
      lines.push(`${node.id} ${done}${node.pid === undefined ? '' : ` (pid ${node.pid})`}`);
    }
    return lines.join('\n');
  };
}

/** What takes no word behind it: one that is there means more than would be done. */
function alone(name: string, act: (cluster: Cluster) => Promise<string> | string, more = ''): Command['run'] {
  return (cluster, rest) => {
    if (rest !== '') throw new Error(`usage: ${name}${more}`);
    return act(cluster);
  };
}

export const COMMANDS: Readonly<Record<string, Command>> = {
  status: {
    usage: 'status',
    about: 'a row for every node, and the links that are not whole',
    run: alone('status', status, '; @n2 status asks one node'),
  },
  kill: {
    usage: 'kill n2',
    about: 'SIGKILL: the node is gone at once',
    run: toNodes('is killed', node => node.kill()),
  },
  stop: {
    usage: 'stop n2',
    about: 'SIGTERM: the node shuts down',
    run: toNodes('is stopped', node => {
      if (node.pid === undefined) throw new Error(`${node.id} does not run: it is ${node.state}`);
      return node.stop();
    }),
  },
  restart: {
    usage: 'restart n2',
    about: 'starts the node again, and stops it before if it runs',
    run: toNodes('runs again', node => node.restart()),
  },
  pause: {
    usage: 'pause n3',
    about: 'SIGSTOP: the node stands still, its connections stay open',
    run: toNodes('is paused', node => node.pause()),
  },
  resume: {
    usage: 'resume n3',
    about: 'SIGCONT: the node goes on',
    run: toNodes('goes on', node => node.resume()),
  },
  partition: {
    usage: 'partition n1,n2 | n3,n4,n5',
    about: 'nodes reach only their own side; you reach all of them',
    run: (cluster, rest) => {
      const groups = rest.split('|').map(idsIn);
      if (groups.some(group => group.length === 0)) throw new Error('usage: partition n1,n2 | n3,n4,n5');
      cluster.partition(groups);
      const others = cluster.ids.filter(id => !groups.flat().includes(id));
      const sides = (others.length > 0 ? [...groups, others] : groups).map(group => group.join(','));
      return sides.length > 1 ? `cut: ${sides.join(' | ')}` : 'one side holds them all: nothing is cut';
    },
  },
  cut: {
    usage: 'cut n1 n2',
    about: 'nothing that n1 sends reaches n2; the other direction stays',
    run: (cluster, rest) => {
      const [from, to] = pairIn(rest, 'cut');
      cluster.cut(from, to);
      return `cut: ${from} → ${to}`;
    },
  },
  reset: {
    usage: 'reset n1 n2',
    about: 'breaks the connections between two nodes; they may dial again',
    run: (cluster, rest) => {
      const [a, b] = pairIn(rest, 'reset');
      cluster.reset(a, b);
      return `the connections between ${a} and ${b} are broken`;
    },
  },
  heal: {
    usage: 'heal',
    about: 'ends every cut; what was held back arrives. Delays stay',
    run: alone('heal', cluster => {
      cluster.heal();
      const slow = cluster.delays.map(
        ([id, milliseconds]) => `${away(id, milliseconds)} still: delay ${id} 0 ends that`,
      );
      return ['no link is cut', ...slow].join('\n');
    }),
  },
  delay: {
    usage: 'delay n3 200ms',
    about: 'what n3 sends to nodes and is sent by them takes so long; 0 ends it',
    run: (cluster, rest) => {
      const [, id, amount, unit] = /^(\S+)\s+(\d+(?:\.\d+)?)\s*(ms|s)?$/.exec(rest) ?? [];
      const milliseconds = Number(amount) * (unit === 's' ? 1_000 : 1);
      if (id === undefined || milliseconds > MOST_DELAY) {
        throw new Error(`usage: delay n3 200ms, at most ${MOST_DELAY / 1_000} s`);
      }
      cluster.delay(id, milliseconds);
      return milliseconds > 0 ? away(id, milliseconds) : `${id} is not delayed`;
    },
  },
  add: {
    usage: 'add [n6]',
    about: 'one more node: a learner first, a voter once it has everything',
    run: async (cluster, rest) => {
      const [named, ...more] = idsIn(rest);
      if (more.length > 0) throw new Error('usage: add [n6]; one at a time');
      const { id, address, pid } = await cluster.add(named);
      return `${id} at ${address} votes now (pid ${pid})`;
    },
  },
  remove: {
    usage: 'remove n3',
    about: 'takes a node out of the cluster, and ends it; a key of that name: @n1 remove n3',
    isMeant: (cluster, rest) => {
      const ids = idsIn(rest);
      return ids.length > 0 && ids.every(id => cluster.ids.includes(id));
    },
    run: async (cluster, rest) => {
      const ids = idsIn(rest);
      for (const id of ids) await cluster.remove(id);
      return `${ids.join(', ')} ${ids.length === 1 ? 'is' : 'are'} no member any more; members: ${cluster.ids.join(', ')}`;
    },
  },
};

function idsIn(text: string): string[] {
  return text.split(/[\s,]+/).filter(id => id !== '');
}

function pairIn(text: string, name: string): [string, string] {
  const [from, to, ...more] = idsIn(text);
  if (from === undefined || to === undefined || from === to || more.length > 0) {
    throw new Error(`usage: ${name} n1 n2`);
  }
  return [from, to];
}

const COLUMNS = ['role', 'term', 'leader', 'commit', 'applied', 'rev', 'keys'] as const;

async function status(cluster: Cluster): Promise<string> {
  const rows = await Promise.all(
    cluster.nodes.map(async node => [node.id, node.address, stateOf(node), ...(await told(node))]),
  );
  return [table(['node', 'address', 'process', ...COLUMNS], rows), ...cuts(cluster), ...delays(cluster)].join(
    '\n',
  );
}

/** What the node tells about itself, in the order of the columns. */
async function told(node: NodeProcess): Promise<string[]> {
  if (node.state !== 'running') return COLUMNS.map(() => '-');
  try {
    const reply = JSON.parse(await ask(node.address, '{"op":"status"}', STATUS_PATIENCE));
    return COLUMNS.map(column => {
      if (column === 'role' && reply.removed === true) return 'removed';
      const cell = column === 'leader' ? reply.leader?.id : reply[column];
      return String(cell ?? '-');
    });
  } catch {
    return COLUMNS.map((_, at) => (at === 0 ? 'no answer' : '-'));
  }
}

function stateOf({ state, exit }: NodeProcess): string {
  return state === 'ended' && exit !== undefined ? describeExit(exit) : state;
}

function cuts(cluster: Cluster): string[] {
  const pairs = cluster.cuts.map(([from, to]) => `${from} → ${to}`);
  return pairs.length === 0 ? [] : [`cut: ${pairs.join(', ')}`];
}

function delays(cluster: Cluster): string[] {
  return cluster.delays.map(([id, milliseconds]) => away(id, milliseconds));
}

function away(id: string, milliseconds: number): string {
  return `${id} is ${milliseconds} ms away`;
}
