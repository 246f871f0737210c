// Follows what happens below a prefix, from what is there already to the last change.
import { connect } from 'raftline';
import { address } from './address.js';

const client = connect(address);
await client.remove({ prefix: '/example/watch/' });
await client.set('/example/watch/color', 'red');

async function change() {
  await client.set('/example/watch/color', 'green');
  await client.set('/example/watch/size', '7');
  await client.remove('/example/watch/color');
}

for await (const update of client.watch('/example/watch/', { initial: true })) {
  if (update.type === 'reset') {
    // What is there now: at the beginning, and again should the cluster no longer know what happened since.
    console.log('now', update.entries.map(({ key, value }) => `${key}=${value}`).join(' '));
    change();
    continue;
  }
  for (const event of update.events) {
    console.log(event.type, event.key, event.type === 'set' ? event.value : '');
  }
  if (update.events.some(({ type }) => type === 'remove')) break;
}
await client.close();
