// An application's configuration: read from memory, current within moments, and told of when it changes.
import { connect } from 'raftline';
import { address } from './address.js';

const client = connect(address);
await client.set('/example/config/level', 'info');

const config = client.cached('/example/config/');
await config.ready;
console.log('level', config.get('/example/config/level'));

const changed = new Promise(resolve => {
  config.onChange(changes => {
    for (const { key, before, entry } of changes) console.log(key, before?.value, '->', entry?.value);
    resolve();
  });
});
await client.set('/example/config/level', 'debug');
await changed;
console.log('level', config.get('/example/config/level'));
await client.close();
