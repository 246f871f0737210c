import { startNode, type TestOptions } from './nodes.ts';

const [stage, options] = process.argv.slice(2);
const node = await startNode(Number(stage), JSON.parse(options ?? '{}') as TestOptions);

process.on('disconnect', () => process.exit(0));
process.on('message', () => {
  (globalThis as { gc?: () => void }).gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  process.send?.({ rss, heap: heapUsed, cpu: (user + system) / 1_000 });
});
process.send?.(node.address);
