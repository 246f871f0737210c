import type { HelloReply, PingReply } from '../results.ts';
import { ask, clientVerb } from './client-verb.ts';
import { print } from './print.ts';

export const ping = clientVerb({
  name: 'ping',
  about: 'tells whether a node answers, and how fast',
  usage: 'ping',
  details: `  raftline ping --address 127.0.0.1:7001`,
  flags: {},
  words: [0, 0],
  async perform(call, session) {
    const began = performance.now();
    await ask<PingReply>('ping', {}, call, session);
    const took = (performance.now() - began).toFixed(1);
    if (!call.flags.json) await print(`pong from ${session.client.address} after ${took} ms`);
    return 0;
  },
});

export const hello = clientVerb({
  name: 'hello',
  about: 'tells who a node is and what it can do',
  usage: 'hello',
  flags: {},
  words: [0, 0],
  async perform(call, session) {
    const node = await ask<HelloReply>('hello', {}, call, session);
    if (call.flags.json) return 0;
    const { client } = session;
    const leader = node.leader === null ? 'none known' : `${node.leader.id} at ${node.leader.address}`;
    await print(`${node.node} at ${client.address}: ${node.name} ${node.version}, protocol ${node.protocol}
stage    ${node.stage}
role     ${node.role}
leader   ${leader}
cluster  ${node.cluster ?? 'none'}
ops      ${node.ops.join(' ')}`);
    return 0;
  },
});
