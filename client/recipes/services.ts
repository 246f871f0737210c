import { localError } from '../client-error.ts';
import type { Entry } from '../results.ts';
import { Cached } from './cached.ts';
import type { Wire } from './wire.ts';

const SERVICES = '/services/';

/** One instance of a service. */
export interface Instance {
  /** Its name, alone of its kind within the service: whoever registers it again takes it over, while it lives. */
  readonly id: string;
  /** Where it is reached, in whatever form its clients understand. */
  readonly address: string;
  /** Whatever else its clients want to know; JSON. */
  readonly meta?: unknown;
}

/** The instances of a service that are there, kept current by a watch. */
export class Services {
  readonly service: string;
  readonly #cache: Cached;

  constructor(wire: Wire, service: string) {
    this.service = service;
    this.#cache = new Cached(wire, directoryOf(service));
  }

  /** Resolves once the list is here. */
  get ready(): Promise<void> {
    return this.#cache.ready;
  }

  /** All that are there, in the order of their ids. */
  list(): readonly Instance[] {
    return this.#cache.entries().flatMap(entry => instanceOf(this.#cache.prefix, entry));
  }

  /** Calls back with the whole list whenever it is not what it was; returns what ends that. */
  onChange(listener: (instances: readonly Instance[]) => void): () => void {
    return this.#cache.onChange(() => listener(this.list()));
  }

  /** Why the list is no longer kept current, when a node refused to. */
  get failure(): Error | undefined {
    return this.#cache.failure;
  }

  /** Stops following. The list stays as it is. */
  close(): void {
    this.#cache.close();
  }
}

function directoryOf(service: string): string {
  if (service !== '') return `${SERVICES}${service}/`;
  throw localError('BAD_REQUEST', 'a service needs a name', { op: 'set' });
}

/** The key that stands for an instance. */
export function keyOf(service: string, id: string): string {
  if (id !== '' && !id.includes('/')) return `${directoryOf(service)}${id}`;
  throw localError('BAD_REQUEST', 'the id of an instance must not be empty, nor have a /', { op: 'set' });
}

/** None when the key is no instance of this service, or was not written as one. */
function instanceOf(directory: string, { key, value }: Entry): Instance[] {
  const id = key.slice(directory.length);
  if (id.includes('/')) return [];
  const written = readInstance(id, value);
  return written === undefined ? [] : [written];
}

/** What was written of an instance; undefined when it was not written as one. */
export function readInstance(id: string, value: string | null | undefined): Instance | undefined {
  try {
    const { address, meta } = JSON.parse(value ?? '') as Partial<Instance>;
    return typeof address === 'string' ? { id, address, ...(meta !== undefined && { meta }) } : undefined;
  } catch {
    return undefined;
  }
}
