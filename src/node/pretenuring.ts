import { setFlagsFromString } from 'node:v8';

/**
 * Tells V8 what it must not do: allocate all objects of a kind among the old ones, for good, because those that happened
 * to be under way at one collection survived it. Requests are such a kind, and a node whose requests only a full
 * collection frees takes twice the time for a read. Which nodes it befell was chance (bench/NOTES.md).
 */
export function forbidPretenuring(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}
