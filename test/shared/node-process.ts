import { startNode, type TestOptions } from './nodes.ts';

const [stage, options] = process.argv.slice(2);
const node = await startNode(Number(stage), JSON.parse(options ?? '{}') as TestOptions);

process.on('disconnect', () => process.exit(0));
process.on('message', () => {
  (globalThis as { gc?: () => void }).gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  process.send?.({ rss, heap: heapUsed, external });
});
process.send?.(node.address);
