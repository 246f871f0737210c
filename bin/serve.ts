import { once } from 'node:events';
import type { Verb } from '../client/cli/verb.ts';
import { parseAddress, parseNodes } from '../src/wire/address.ts';
import { STAGES } from '../stages/stages.ts';

/** Runs one node in this process until it is told to stop. */
export const serve: Verb = {
  name: 'serve',
  about: 'runs one node',
  usage: 'serve [--id n1] [--listen 127.0.0.1:7001] [--nodes n1=…,n2=…] [--stage N]',
  flags: {
    id: { type: 'string', value: 'ID', about: 'this node (n1)' },
    listen: { type: 'string', value: 'ADDRESS', about: 'where it listens (127.0.0.1:7001)' },
    nodes: { type: 'string', value: 'n1=…,n2=…', about: 'every node of the cluster' },
    stage: { type: 'integer', value: 'N', about: 'the stage to run; the last unless told' },
  },
  words: [0, 0],
  async run({ flags }) {
    const stage = STAGES.find(({ number }) => number === flags.stage) ?? STAGES.at(-1);
    if (stage === undefined) return 2;
    const { start } = await stage.load();
    const listen = parseAddress(String(flags.listen ?? '127.0.0.1:7001'));
    const nodes = flags.nodes === undefined ? undefined : parseNodes(String(flags.nodes));
    const node = await start({ id: String(flags.id ?? 'n1'), listen, ...(nodes && { nodes }) });
    console.log(`raftline listens on ${node.address}, stage ${stage.number}`);
    await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
    await node.close();
    return 0;
  },
};
