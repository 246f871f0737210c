import { apply } from '../../src/kv/commands.ts';
import { NO_HISTORY } from '../../src/kv/history.ts';
import { answer } from '../../src/kv/queries.ts';
import { Store } from '../../src/kv/store.ts';
import { answerAboutNode, type NodeState } from '../../src/node/about.ts';
import type { NodeOptions, RunningNode } from '../../src/node/options.ts';
import { LineServer, type Responder, type Service } from '../../src/node/server.ts';
import { listen } from '../../src/node/transports.ts';
import type { Request } from '../../src/wire/ops.ts';

/** One store behind one server. What it holds is gone when it stops. */
class SingleNode implements Service {
  readonly stage: number;
  readonly #id: string;
  readonly #store = new Store(undefined, NO_HISTORY);
  readonly #server: LineServer;
  #address = '';

  constructor(options: NodeOptions, stage: number) {
    this.stage = stage;
    this.#id = options.id;
    this.#server = new LineServer(this, options);
  }

  async start(options: NodeOptions): Promise<RunningNode> {
    const opened = await listen(this.#server, options);
    this.#address = opened.address;
    return { ...opened, close: () => this.#server.close() };
  }

  handle(request: Request, responder: Responder): void {
    switch (request.op) {
      case 'get':
      case 'list':
        responder.answer(answer(this.#store, request));
        return;
      case 'set':
      case 'remove':
        responder.answer(apply(this.#store, request));
        return;
      default:
        responder.answer(answerAboutNode(request, this.#state(), this.#server));
    }
  }

  #state(): NodeState {
    const self = { id: this.#id, address: this.#address };
    return {
      node: this.#id,
      address: this.#address,
      cluster: null,
      stage: this.stage,
      role: 'single',
      leader: self,
      members: [{ ...self, role: 'voter' }],
      rev: this.#store.rev,
      keys: this.#store.size,
    };
  }
}

/** Starts a node of stage 0; stage 1, which adds only the client, runs the same server. */
export function start(options: NodeOptions, stage = 0): Promise<RunningNode> {
  return new SingleNode(options, stage).start(options);
}
