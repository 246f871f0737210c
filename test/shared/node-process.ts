import { closeSync, openSync } from 'node:fs';
import { startNode, type TestOptions, type Usage } from './nodes.ts';

const [stage, options] = process.argv.slice(2);
const node = await startNode(Number(stage), JSON.parse(options ?? '{}') as TestOptions);

function usage(): Usage {
  (globalThis as { gc?: () => void }).gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return { rss, heap: heapUsed, cpu: (user + system) / 1_000 };
}

function openFiles(count: number): number {
  const files: number[] = [];
  try {
    while (files.length < count) files.push(openSync('/dev/null', 'r'));
  } catch {
    // The number of those that were opened says it.
  }
  for (const file of files) closeSync(file);
  return files.length;
}

process.on('disconnect', () => process.exit(0));
process.on('message', question => {
  process.send?.(typeof question === 'number' ? openFiles(question) : usage());
});
process.send?.(node.address);
