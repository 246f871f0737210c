// A process that takes a lock and writes when it is told to, so that a test can make it stand still.
// Arguments: the addresses, the lock's name, its time in seconds.
import split2 from 'split2';
import { ClientError, connect } from '../../client/client.ts';

const [addresses = '', name = '', ttl = ''] = process.argv.slice(2);
const say = (what: object) => process.stdout.write(`${JSON.stringify(what)}\n`);

const client = connect(addresses);
const lock = await client.lock(name, { ttl: Number(ttl) });
lock.lost.addEventListener('abort', () => say({ lost: true, isHeld: lock.isHeld }));
say({ fence: lock.fence, key: lock.key });

/** Each line is a value to write under the lock's guard. */
process.stdin.pipe(split2()).on('data', async (line: string) => {
  const isHeld = lock.isHeld;
  try {
    await client.set('/guarded', line, { if: lock.guard });
    say({ wrote: line, isHeld });
  } catch (error) {
    say({ refused: line, isHeld, code: error instanceof ClientError ? error.code : String(error) });
  }
});
process.stdin.on('end', () => void client.close());
