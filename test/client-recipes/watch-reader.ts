// A process that watches a prefix and says what it hears, so that a test can make it stand still.
// Arguments: the addresses, the prefix, the first revision.
import { connect } from '../../client/client.ts';

const [addresses = '', prefix = '', from = ''] = process.argv.slice(2);
for await (const update of connect(addresses).watch(prefix, { from: Number(from) })) {
  const { type, rev } = update;
  const keys = type === 'reset' ? update.entries.map(({ key }) => key) : update.events.map(({ key }) => key);
  process.stdout.write(`${JSON.stringify({ type, rev, keys })}\n`);
}
