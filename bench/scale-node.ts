import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { NodeOptions } from '../src/node/options.ts';
import { STAGES } from '../stages/stages.ts';

// A node that tells, when it is asked, what of its event loop and its memory can only be seen from inside.

/** What a question brings. Times are in milliseconds, sizes in bytes. */
export interface Inside {
  /** The longest time without a turn of the event loop since the last question. */
  readonly stall: number;
  /** After a collection of garbage. */
  readonly heap: number;
}

const [number, options = '{}'] = process.argv.slice(2);
const stage = STAGES.find(known => known.number === Number(number));
if (stage === undefined) throw new Error(`there is no stage ${number}`);
const { start } = await stage.load();
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const node = await start(JSON.parse(options) as NodeOptions);
process.on('disconnect', () => process.exit());
process.on('message', question => {
  const stall = delay.max / 1e6;
  if (question === 'memory') globalThis.gc?.();
  const inside: Inside = { stall, heap: process.memoryUsage().heapUsed };
  // What the answer itself took does not count, nor does the garbage that it collected.
  setTimeout(() => {
    delay.reset();
    process.send?.(inside);
  }, 10);
});
process.send?.(node.address);
