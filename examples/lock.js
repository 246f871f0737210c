// Three workers count together under a lock. Each writes under the lock's guard: one that had stood still, and lost the
// lock without noticing, would be refused.
import { connect } from 'raftline';
import { address } from './address.js';

const setup = connect(address);
await setup.set('/example/count', '0');

async function work(worker) {
  const client = connect(address);
  const lock = await client.lock('example', { ttl: 10 });
  try {
    const count = Number((await client.get('/example/count')).value);
    await client.set('/example/count', String(count + 1), { if: lock.guard });
    console.log(`worker ${worker} counted to ${count + 1}, lock held:`, lock.isHeld);
  } finally {
    await lock.release();
    await client.close();
  }
}

await Promise.all([work(1), work(2), work(3)]);
console.log('count', (await setup.get('/example/count')).value);
await setup.close();
