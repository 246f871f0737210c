import { createServer } from 'node:net';

/** A port that nobody listens on at the moment, below the range from which outgoing connections take theirs. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = 12_001 + Math.floor(Math.random() * 18_000);
    if (await isFree(port, host)) return port;
  }
  throw new Error(`no free port at ${host}`);
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
