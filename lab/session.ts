import { withoutComment } from '../client/cli/words.ts';
import { nearest } from '../src/wire/text.ts';
import { ask, NoAnswer } from './ask.ts';
import type { Cluster } from './cluster.ts';
import { COMMANDS } from './commands.ts';
import type { NodeProcess } from './node-process.ts';
import { KV_VERBS, requestLine } from './requests.ts';
import { table } from './table.ts';

/** Milliseconds that a node has to answer when the request does not say, and a little more than it takes itself. */
const PATIENCE = 5_000;
const MARGIN = 1_000;

/** What a person types at the lab, line by line, whoever reads the lines. */
export class Session {
  readonly #cluster: Cluster;
  /** The node that is asked unless a line names one. */
  #favourite: NodeProcess | undefined;
  #isOver = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** True once `quit` has been typed. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** What stands before the next line. */
  get prompt(): string {
    return this.#favourite === undefined ? 'lab> ' : `lab @${this.#favourite.id}> `;
  }

  /** Does what a line says, and resolves with what to print. Never rejects. */
  async execute(line: string): Promise<string> {
    try {
      return await this.#execute(line.trim());
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async #execute(line: string): Promise<string> {
    const [, id, rest = ''] = /^@(\S*)\s*(.*)$/s.exec(line) ?? [];
    if (id !== undefined) return this.#tell(this.#cluster.node(id), uncommented(rest));
    if (line.startsWith('{')) return this.#tell(this.#favourite, line);
    return this.#command(uncommented(line));
  }

  async #command(line: string): Promise<string> {
    const [name = '', after] = nameAndRest(line);
    const command = own(COMMANDS, name);
    if (command !== undefined && command.isMeant?.(this.#cluster, after) !== false) {
      return command.run(this.#cluster, after);
    }
    switch (name) {
      case '':
        return '';
      case 'help':
        return help();
      case 'use':
        return this.#use(after);
      case 'quit':
      case 'exit':
        if (after !== '') throw new Error(`usage: ${name}; it stops every node, and ends`);
        this.#isOver = true;
        return '';
    }
    if (own(KV_VERBS, name) === undefined) throw unknown(name);
    return this.#tell(this.#favourite, line);
  }

  #use(id: string): string {
    this.#favourite = id === '' ? undefined : this.#cluster.node(id);
    return id === '' ? 'asks the first node that can be reached' : `asks ${id}; use alone forgets it`;
  }

  /** Asks a node: a verb, a line of JSON as it is, or a bare word that nodes know. */
  async #tell(node: NodeProcess | undefined, text: string): Promise<string> {
    const [name = '', rest] = nameAndRest(text);
    const verb = own(KV_VERBS, name);
    if (verb !== undefined) return this.#ask(node, requestLine(name, verb, rest));
    if (text.startsWith('{') || ['help', 'hello', 'status'].includes(text)) {
      return this.#ask(node, text.startsWith('{') ? text : JSON.stringify({ op: text }));
    }
    if (text === '') throw new Error(`ask ${node?.id} what? For example: @${node?.id} get /app/db`);
    throw new Error(
      `a node is asked ${Object.keys(KV_VERBS).join(', ')}, status, hello, help, or a line of JSON`,
    );
  }

  async #ask(chosen: NodeProcess | undefined, line: string): Promise<string> {
    const nodes =
      chosen === undefined ? this.#cluster.nodes.filter(node => node.state === 'running') : [chosen];
    for (const node of nodes) {
      try {
        return `${node.id}  ${await ask(node.address, line, patienceOf(line))}`;
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        // Only a node that did not even hear it may be passed over: the next would do it a second time.
        if (chosen === undefined && error.isRefused) continue;
        const state = node.state === 'running' ? '' : ` (it is ${node.state})`;
        throw new Error(`${node.id}${state}: ${error.message}`);
      }
    }
    throw new Error('no node runs: restart one');
  }

  /** What the word at the end of a line may become, for a terminal's tab key. */
  complete(line: string): [candidates: string[], word: string] {
    const word = /\S*$/.exec(line)?.[0] ?? '';
    const { ids } = this.#cluster;
    const before = line.slice(0, line.length - word.length).trim();
    const first = word.startsWith('@') ? ids.map(id => `@${id}`) : names();
    const candidates = before === '' ? first : before.startsWith('@') ? Object.keys(KV_VERBS) : ids;
    return [candidates.filter(each => each.startsWith(word)).map(each => `${each} `), word];
  }
}

/** What a line asks, without the comment that ends it. JSON goes to the node as it is. */
function uncommented(line: string): string {
  return line.startsWith('{') ? line : withoutComment(line).trim();
}

function names(): string[] {
  return [...Object.keys(KV_VERBS), ...Object.keys(COMMANDS), 'use', 'help', 'quit'];
}

function unknown(name: string): Error {
  const near = nearest(name, names());
  return new Error(
    `there is no command ${name}${near === undefined ? '' : `: did you mean ${near}?`} (help lists all)`,
  );
}

function nameAndRest(line: string): [name: string, rest: string] {
  const [, name = '', rest = ''] = /^(\S*)\s*(.*)$/s.exec(line) ?? [];
  return [name, rest];
}

function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** How long to wait for the answer to a line: what it grants the node, and a little more. */
function patienceOf(line: string): number {
  try {
    const { timeout } = JSON.parse(line);
    if (Number.isSafeInteger(timeout) && timeout > 0) return Math.min(timeout, 600_000) + MARGIN;
  } catch {
    // The node says what is wrong with the line.
  }
  return PATIENCE + MARGIN;
}

function help(): string {
  const rows = (entries: readonly { usage: string; about: string }[]) =>
    entries.map(({ usage, about }) => [`  ${usage}`, about]);
  const kv = [
    ...rows(Object.values(KV_VERBS)),
    ['  {"op":"get","key":"/a"}', 'any line of JSON, sent as it is'],
    ['  @n3 get /a', 'asks n3; also @n3 status, hello, help, or JSON'],
    ['  use n3', 'asks n3 from now on; use alone forgets it'],
  ];
  const ours = [
    ...rows(Object.values(COMMANDS)),
    ['  help', 'this list'],
    ['  quit', 'stops every node, and ends'],
  ];
  return table(
    ['Ask the first node that can be reached:', ''],
    [...kv, ['', ''], ['Break and mend:', ''], ...ours],
  );
}
