// A key that is there for as long as its owner is: it goes when the lease is revoked, or is not renewed for its time.
import { connect } from 'raftline';
import { address } from './address.js';

const client = connect(address);
const lease = await client.lease(5);
await client.set('/example/online/me', 'yes', { lease: lease.id });
console.log('online:', (await client.get('/example/online/me')).value, 'lease held:', lease.isHeld);

// It is renewed by itself; should that fail for too long, we are told.
lease.lost.addEventListener('abort', () => console.log('lost', lease.lost.reason));

await lease.revoke();
console.log('online:', (await client.get('/example/online/me')).value, 'lease held:', lease.isHeld);
await client.close();
