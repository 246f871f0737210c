import { LineServer, type Responder, type ServerOptions, type Service } from '../../src/node/server.ts';
import { formatAddress } from '../../src/wire/address.ts';
import type { Request } from '../../src/wire/ops.ts';

/** A service that answers nothing until the test does: what it was asked waits in `asked`, in order. */
export class MuteService implements Service {
  readonly stage = 0;
  readonly server: LineServer;
  readonly asked: { readonly request: Request; readonly responder: Responder }[] = [];

  constructor(options: ServerOptions = {}) {
    this.server = new LineServer(this, options);
  }

  /** Resolves with the address that it listens on. */
  async listen(): Promise<string> {
    const host = '127.0.0.1';
    return formatAddress({ host, port: await this.server.listen({ host, port: 0 }) });
  }

  handle(request: Request, responder: Responder): void {
    this.asked.push({ request, responder });
  }

  /** Answers the request of this number, with the number as its revision. */
  answer(number: number): void {
    this.asked[number]?.responder.answer({ ok: true, rev: number });
  }
}
