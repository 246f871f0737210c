import { readdirSync, readFileSync } from 'node:fs';

/** How many descriptors this process may still open, or undefined where the system does not say. */
export function descriptorsLeft(): number | undefined {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? undefined : Number(soft) - readdirSync('/proc/self/fd').length;
  } catch {
    return undefined;
  }
}
