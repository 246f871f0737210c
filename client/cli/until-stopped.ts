import type { Session } from './client-verb.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Does what has no end of its own, until the person has had enough: Ctrl-C, or the end of the terminal. The reason of
 * what is raised then is the name of the signal.
 */
export async function untilStopped<T>(
  { signal, isPrompt }: Session,
  work: (stopped: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const stopNow = (name: NodeJS.Signals) => stop.abort(name);
  // At the prompt Ctrl-C is the prompt's, which raises the session's own signal.
  if (!isPrompt) for (const name of SIGNALS) process.on(name, stopNow);
  try {
    return await work(signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]));
  } finally {
    for (const name of SIGNALS) process.off(name, stopNow);
  }
}

/** Resolves when the signal is raised. */
export function raised(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
