import { createServer } from 'node:net';
import { forbidPretenuring } from '../src/node/pretenuring.ts';
import { textOf } from './requests.ts';

// As a node does: of two servers neither is to be slow by chance.
forbidPretenuring();

/**
 * The bare limit of line-delimited JSON over TCP on this platform: splits lines, parses each, answers with a reply of
 * the fields and the size that the real server's has, once a turn as that does, and does nothing else: no check of
 * any kind, no store, no bound. Both take and give the same bytes, so the ratio is the price of the work between.
 */
const server = createServer({ noDelay: true }, socket => {
  let rest = '';
  let replies: string[] = [];
  const flush = () => {
    socket.write(replies.join(''));
    replies = [];
  };
  socket.setEncoding('utf8');
  socket.on('error', () => {});
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (replies.length === 0 && lines.length > 0) setImmediate(flush);
    for (const line of lines) {
      replies.push(`${JSON.stringify(replyTo(JSON.parse(line) as Request))}\n`);
    }
  });
});

/** Of the one size that this run of it is asked for. */
const VALUE = textOf(Number(process.argv[2]));

interface Request {
  readonly op: string;
  readonly id: number;
  readonly key: string;
}

function replyTo({ op, id, key }: Request): object {
  if (op === 'set') return { id, ok: true, rev: 123_456, mod: 123_456 };
  return { id, ok: true, rev: 123_456, key, value: VALUE, create: 12_345, mod: 123_456, version: 12 };
}

// Its standard input ends with the process that started it, and so does this one.
process.stdin.on('end', () => process.exit(0)).resume();
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address !== null) console.log(`listens on 127.0.0.1:${address.port}`);
});
