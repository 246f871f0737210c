import { once } from 'node:events';
import ndjson from 'ndjson';
import { clientVerb } from '../client/cli/client-verb.ts';
import { count } from '../client/cli/print.ts';
import { PROGRESS_FLAG, Progress } from './progress.ts';

export const exportKeys = clientVerb({
  name: 'export',
  about: 'prints keys with their values, one JSON line each',
  usage: 'export [PREFIX]',
  details: `For jq, and for import. Pages are read one after the other, so what changes meanwhile may show in some and not in
others; backup takes everything as of one moment.

  raftline export /app/ > app.ndjson
  raftline export | jq -r .key`,
  flags: {
    ...PROGRESS_FLAG,
    json: { type: 'boolean', about: 'makes no difference: all that it prints is JSON' },
  },
  words: [0, 1],
  async perform({ words: [prefix = ''], flags }, { client, signal }) {
    const progress = new Progress(flags.progress === true);
    const lines = ndjson.stringify();
    lines.pipe(process.stdout, { end: false });
    let keys = 0;
    for await (const { key, value } of client.list(prefix, { values: true, ...(signal && { signal }) })) {
      if (!lines.write({ key, value })) await once(lines, 'drain');
      keys += 1;
      progress.tell(() => `${count(keys, 'key')} exported`);
    }
    lines.end();
    await once(lines, 'end');
    progress.end();
    return 0;
  },
});
