import { createServer } from 'node:net';
import { tellParent } from './child.ts';

/**
 * The bare limit of line-delimited JSON over TCP on this platform: splits lines, parses each, writes it back as its
 * reply, once a turn as the real server does, and does nothing else: no check of any kind, no store, no bound.
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
      const request = JSON.parse(line) as object;
      replies.push(`${JSON.stringify({ ok: true, ...request })}\n`);
    }
  });
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address !== null) tellParent(`127.0.0.1:${address.port}`);
});
