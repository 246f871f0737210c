import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { complain } from '../client/cli/print.ts';
import type { Call, Verb } from '../client/cli/verb.ts';
import { FIRST_STAGE_WITH_DATA, STAGES, type Stage } from '../stages/stages.ts';
import { Cluster, type ClusterOptions, findStage } from './cluster.ts';
import { describeExit, type NodeProcess, StartFailure } from './node-process.ts';
import { openPrompt, type Prompt } from './prompt.ts';
import { Session } from './session.ts';
import { table } from './table.ts';

/** The port where the lab begins to look for free ones. */
const FIRST_PORT = 7_001;
/** Milliseconds that the nodes have to find a leader, before the lab begins without one. */
const LEADER_PATIENCE = 5_000;
/** Milliseconds in which a second signal is taken for an echo of the first. */
const ECHO = 1_000;
/** The most nodes that a lab starts: each is a process. */
const MOST_NODES = 25;

/** `raftline lab`: a whole cluster on this machine, to use and to break. */
export const lab: Verb = {
  name: 'lab',
  about: 'a whole cluster of real node processes on this machine, with a prompt',
  usage: 'lab [STAGE] [--nodes N] [--data DIR]',
  details: `Starts the nodes, prints their addresses, and takes commands: help lists them. Without a terminal it takes the same
commands from standard input, one a line; when that ends without quit, it runs until SIGTERM or Ctrl-C. Nothing is left
running afterwards.

  raftline lab
  raftline lab ${STAGES.at(-1)?.number} --nodes 3
  printf 'set /a 1\\nget /a\\nquit\\n' | raftline lab 0

Stages: ${STAGES.map(stage => `${stage.number} ${stage.title}`).join(', ')}.`,
  flags: {
    nodes: { type: 'integer', value: 'N', about: 'how many nodes; what the stage is about unless told' },
    data: {
      type: 'string',
      value: 'DIR',
      about: `where the nodes keep their data, from stage ${FIRST_STAGE_WITH_DATA} on; unless told, a new folder that is removed at the end`,
    },
  },
  words: [0, 1],
  run,
};

async function run(call: Call): Promise<number> {
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  const wrong = (message: string) => {
    complain(`lab: ${message}`);
    return 2;
  };
  const [word] = call.words;
  if (word !== undefined && !/^\d+$/.test(word))
    return wrong(`${JSON.stringify(word)} is not the number of a stage`);
  let stage: Stage;
  try {
    stage = findStage(word === undefined ? undefined : Number(word));
  } catch (error) {
    return wrong((error as Error).message);
  }
  const nodes = call.flags.nodes === undefined ? stage.nodes : Number(call.flags.nodes);
  if (!Number.isSafeInteger(nodes) || nodes < 1 || nodes > MOST_NODES) {
    return wrong(`--nodes ${call.flags.nodes}: a lab has 1 to ${MOST_NODES} nodes`);
  }
  if (stage.nodes === 1 && nodes > 1) {
    return wrong(`--nodes ${nodes}: stage ${stage.number} (${stage.title}) runs one node`);
  }
  return runLab(stage, nodes, call.flags.data === undefined ? undefined : String(call.flags.data));
}

async function runLab(stage: Stage, nodes: number, named: string | undefined): Promise<number> {
  const hasData = stage.number >= FIRST_STAGE_WITH_DATA;
  const data = !hasData ? undefined : named ? resolve(named) : mkdtempSync(join(tmpdir(), 'raftline-lab-'));
  const clear = () => {
    if (data !== undefined && named === undefined) rmSync(data, { recursive: true, force: true });
  };
  const told = untilTold();
  let prompt: Prompt | undefined;
  const options: ClusterOptions = {
    stage: stage.number,
    nodes,
    firstPort: FIRST_PORT,
    ...(data && { data }),
    onEnd: node => prompt?.say(lastWords(node)),
    ...(process.env.DEBUG && { onLine: (node, line) => console.error(`${node.id} ${line}`) }),
  };
  try {
    const cluster = await Cluster.start(options);
    told.abandons(() => {
      cluster.abandon();
      clear();
    });
    try {
      const session = new Session(cluster);
      await Promise.race([cluster.leader(LEADER_PATIENCE), told.first]);
      console.log(introduction(cluster, data, named === undefined));
      prompt = openPrompt();
      await Promise.race([prompt.run(session), told.first]);
    } finally {
      prompt?.close();
      await cluster.stop();
    }
    return 0;
  } catch (error) {
    console.error(`raftline lab: ${(error as Error).message}`);
    return error instanceof StartFailure ? 3 : 1;
  } finally {
    clear();
  }
}

interface Told {
  /** Resolves at the first signal. */
  readonly first: Promise<void>;
  /** What to do at the second, before this process ends at once. */
  readonly abandons: (act: () => void) => void;
}

function untilTold(): Told {
  let abandon = () => {};
  const first = new Promise<void>(tell => {
    let toldAt: number | undefined;
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.on(signal, () => {
        toldAt ??= performance.now();
        tell();
        // A terminal tells npm and us, and npm tells us again: that is still the first.
        if (performance.now() - toldAt < ECHO) return;
        abandon();
        process.exit(1);
      });
    }
  });
  return {
    first,
    abandons: act => {
      abandon = act;
    },
  };
}

function introduction(cluster: Cluster, data: string | undefined, isOurs: boolean): string {
  const { stage, nodes } = cluster;
  const [first] = nodes;
  const [host, port] = first?.address.split(':') ?? [];
  const kept =
    data === undefined ? 'in memory alone, at this stage' : `${data}${isOurs ? ' (removed at the end)' : ''}`;
  const size = `${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}`;
  const example = '{"op":"set","key":"/app/db","value":"pg"}\\n{"op":"get","key":"/app/db"}\\n';
  return [
    `raftline lab, stage ${stage.number} (${stage.title}), ${size}`,
    ...(port === String(FIRST_PORT)
      ? []
      : [`the usual ports from ${FIRST_PORT} are in use: these are others`]),
    '',
    table(
      ['node', 'address', 'pid'],
      nodes.map(node => [node.id, node.address, String(node.pid)]),
    ),
    '',
    `data: ${kept}`,
    'from another terminal:',
    `  printf '${example}' | nc -N ${host} ${port}`,
    ...(port === String(FIRST_PORT)
      ? []
      : [`  export RAFTLINE_ADDRESS=${host}:${port}    # for npx raftline`]),
    'here: help lists the commands, quit ends it all',
    '',
  ].join('\n');
}

function lastWords(node: NodeProcess): string {
  const exit = node.exit === undefined ? 'ended' : describeExit(node.exit);
  return [
    `${node.id} ${exit}, and nobody here stopped it; restart ${node.id} starts it again`,
    ...node.stderr,
  ].join('\n  ');
}
