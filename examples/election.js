// Two candidates, of whom one leads; when it resigns, or is gone, the other does.
import { connect } from 'raftline';
import { address } from './address.js';

const [one, two] = [connect(address), connect(address)];

const first = await one.elect('example', 'one');
console.log('leader', (await two.leader('example'))?.value);

const waiting = two.elect('example', 'two');
await first.resign();
const second = await waiting;
console.log(
  'leader',
  (await one.leader('example'))?.value,
  'with a higher fence:',
  second.fence > first.fence,
);

await second.resign();
console.log('leader', await one.leader('example'));
await Promise.all([one.close(), two.close()]);
