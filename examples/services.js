// Instances of a service that register themselves, and a client that always knows which there are.
import { connect } from 'raftline';
import { address } from './address.js';

const client = connect(address);
const services = client.services('example');
await services.ready;

/** Resolves once so many are there. */
function until(count) {
  return new Promise(resolve => {
    const look = () => services.list().length === count && resolve();
    services.onChange(look);
    look();
  });
}

const one = await client.register('example', { id: 'one', address: '10.0.0.1:80', meta: { zone: 'a' } });
await client.register('example', { id: 'two', address: '10.0.0.2:80' });
await until(2);
for (const { id, address: at, meta } of services.list()) console.log(id, at, meta?.zone ?? '-');

await one.withdraw();
await until(1);
console.log(services.list().map(({ id }) => id));
await client.close();
