// Ten transfers between two accounts at the same time: whoever finds that a balance has changed under it reads again,
// so nothing is lost and nothing is made.
import { connect } from 'raftline';
import { address } from './address.js';

const client = connect(address);
await client.set('/example/accounts/ann', '100');
await client.set('/example/accounts/bob', '0');

async function transfer(amount) {
  await client.transaction(
    async tx => {
      const ann = Number(await tx.get('/example/accounts/ann'));
      const bob = Number(await tx.get('/example/accounts/bob'));
      tx.set('/example/accounts/ann', String(ann - amount));
      tx.set('/example/accounts/bob', String(bob + amount));
    },
    { timeout: 30_000 },
  );
}

await Promise.all(Array.from({ length: 10 }, () => transfer(7)));
for await (const { key, value } of client.list('/example/accounts/', { values: true }))
  console.log(key, value);
await client.close();
