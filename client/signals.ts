import type { Call } from './call.ts';

/**
 * Which calls end when which signal is raised. A signal has one listener however many calls share it: many share one,
 * and Node warns of a leak beyond ten.
 */
export class Signals {
  readonly #raised: (call: Call, signal: AbortSignal) => void;
  readonly #calls = new Map<AbortSignal, Set<Call>>();

  constructor(raised: (call: Call, signal: AbortSignal) => void) {
    this.#raised = raised;
  }

  /** Watches the signal for this call, until the call is settled. */
  watch(signal: AbortSignal, call: Call): void {
    const calls = this.#calls.get(signal) ?? new Set();
    if (calls.size === 0) {
      this.#calls.set(signal, calls);
      signal.addEventListener('abort', this.#abort, { once: true });
    }
    calls.add(call);
    call.onSettled(() => this.#forget(signal, calls, call));
  }

  readonly #abort = (event: Event): void => {
    const signal = event.target as AbortSignal;
    for (const call of this.#calls.get(signal) ?? []) this.#raised(call, signal);
  };

  #forget(signal: AbortSignal, calls: Set<Call>, call: Call): void {
    calls.delete(call);
    if (calls.size > 0) return;
    this.#calls.delete(signal);
    signal.removeEventListener('abort', this.#abort);
  }
}
