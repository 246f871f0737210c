import { openJournal } from '../src/node/journal-open.ts';

/** Opens a data directory as a node does when it starts, and says how many entries came back, and in how many milliseconds. */
const [directory = ''] = process.argv.slice(2);
const began = performance.now();
const { storage, recovered } = await openJournal(directory, { node: 'n1' }, { onDurable: () => {} });
const took = performance.now() - began;
console.log(JSON.stringify({ entries: recovered.entries.length, took }));
await storage.close();
