import type { Server } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { CLIENT_SERVICES } from '../../wire/schema.ts';
import type { LineServer } from '../server.ts';

export const HEALTH_SERVICE = 'grpc.health.v1.Health';

const [KV, CLUSTER] = CLIENT_SERVICES;

/**
 * The standard health service (grpc.health.v1). The server and `Cluster` serve for as long as they take calls; `Kv`
 * while the node asked knows a leader, so that a balancer turns to nodes that can answer.
 */
export class Health {
  readonly #server: LineServer;
  readonly #health = new HealthImplementation({ '': 'SERVING', [CLUSTER]: 'SERVING', [KV]: 'NOT_SERVING' });
  #isServing: boolean | undefined;
  #isOver = false;

  constructor(server: LineServer) {
    this.#server = server;
  }

  addTo(server: Server): void {
    this.#health.addToServer(server);
  }

  /** Called every so often. */
  check(): void {
    if (this.#isOver) return;
    const answer = (outcome: { readonly [field: string]: unknown }) => this.#tell(outcome.leader != null);
    this.#server.service.handle({ op: 'hello' }, { deadline: this.#server.now(), answer });
  }

  #tell(isServing: boolean): void {
    if (isServing === this.#isServing) return;
    this.#isServing = isServing;
    this.#health.setStatus(KV, isServing ? 'SERVING' : 'NOT_SERVING');
  }

  shutDown(): void {
    this.#isOver = true;
    for (const service of ['', CLUSTER, KV]) this.#health.setStatus(service, 'NOT_SERVING');
  }
}
