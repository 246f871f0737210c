import { createServer } from 'node:net';

/** What any server on this platform takes to start: it listens, and does nothing else. */
process.stdin.on('end', () => process.exit(0)).resume();
createServer().listen(0, '127.0.0.1', () => console.log('listens on a port'));
