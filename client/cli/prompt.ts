import type { Client } from '../client.ts';
import { parseCall } from './arguments.ts';
import { promptHelp, verbHelp } from './help.ts';
import { exitStatus, report, titleOf } from './outcome.ts';
import { complain, print } from './print.ts';
import { RawLine } from './raw-line.ts';
import { unknownVerb } from './suggestions.ts';
import { CLIENT_VERBS } from './verbs.ts';
import { splitWords } from './words.ts';

/** The words that the prompt knows beside the client's verbs. */
export const PROMPT_WORDS = ['help', 'quit', 'exit'] as const;

/** Carries out the lines of a prompt, one at a time, whoever types them. */
export class Prompt {
  readonly client: Client;
  readonly #timeout: number;
  #raw: RawLine | undefined;
  #running: AbortController | undefined;
  /** The exit status of the last line. */
  status = 0;

  /** `timeout`: milliseconds for a line that is sent as it is. */
  constructor(client: Client, timeout: number) {
    this.client = client;
    this.#timeout = timeout;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Gives up on the line that runs. */
  interrupt(): void {
    this.#running?.abort();
  }

  /** Carries out one line; resolves with false when it was the wish to leave. */
  async run(line: string): Promise<boolean> {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) return true;
    if (text === 'quit' || text === 'exit') return false;
    this.#running = new AbortController();
    const { signal } = this.#running;
    try {
      this.status = text.startsWith('{') ? await this.#send(line, signal) : await this.#command(text, signal);
    } finally {
      this.#running = undefined;
    }
    return true;
  }

  async #command(text: string, signal: AbortSignal): Promise<number> {
    let what = 'the prompt';
    try {
      const [name = '', ...args] = splitWords(text);
      if (name === 'help') return await this.#help(args);
      const found = CLIENT_VERBS.find(one => one.name === name);
      if (found === undefined) {
        complain(unknownVerb(name, [...CLIENT_VERBS.map(one => one.name), ...PROMPT_WORDS]));
        return 2;
      }
      what = name;
      if (args.includes('--help')) return await this.#help([name]);
      const call = parseCall(found, args);
      what = titleOf(found, call);
      const isElsewhere = call.flags.address !== undefined || call.flags.timeout !== undefined;
      if (isElsewhere) return await found.run(call);
      return await found.perform(call, { client: this.client, signal, isPrompt: true });
    } catch (error) {
      return report(error, what);
    }
  }

  async #help([name]: readonly string[]): Promise<number> {
    const verb = CLIENT_VERBS.find(one => one.name === name);
    if (name !== undefined && verb === undefined) {
      complain(unknownVerb(name, [...CLIENT_VERBS.map(one => one.name), ...PROMPT_WORDS]));
      return 2;
    }
    await print(verb === undefined ? promptHelp(CLIENT_VERBS) : verbHelp(verb));
    return 0;
  }

  /** Sends a line of the protocol on a connection of its own, where no id can be mistaken for one of the client's. */
  async #send(line: string, signal: AbortSignal): Promise<number> {
    try {
      if (this.#raw === undefined || this.#raw.isClosed) {
        await this.client.ping({ signal }); // finds an address that answers
        if (this.client.address.startsWith('grpc://')) return this.#noLines();
        this.#raw = new RawLine(this.client.address, pushed => void print(pushed));
      }
      const reply = await this.#raw.send(line, this.#timeout, signal);
      await print(reply);
      if (isQuit(line)) this.close();
      return statusOf(reply);
    } catch (error) {
      return report(error, 'the line');
    }
  }

  #noLines(): number {
    const { address } = this.client;
    complain(
      `${address} does not take lines: use the verbs (help lists them), or an address without grpc://`,
    );
    return 2;
  }

  close(): void {
    this.#raw?.close();
    this.#raw = undefined;
  }
}

/** After this the node closes the connection, though we may hear of it only when we have sent the next line. */
function isQuit(line: string): boolean {
  try {
    return (JSON.parse(line) as { op?: unknown }).op === 'quit';
  } catch {
    return false;
  }
}

function statusOf(reply: string): number {
  try {
    const { ok, error } = JSON.parse(reply) as { ok?: unknown; error?: { code?: unknown } };
    return ok === true ? 0 : exitStatus(String(error?.code));
  } catch {
    return 3; // not a reply of ours
  }
}
