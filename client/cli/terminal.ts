import { createInterface, type Interface } from 'node:readline';
import { VERSION } from '../../src/wire/version.ts';
import { complete } from './completion.ts';
import { History } from './history.ts';
import { complain, print } from './print.ts';
import type { Prompt } from './prompt.ts';

/** Reads lines from a person until they leave: editing, history, completion, and Ctrl-C that stops only what runs. */
export async function atTerminal(prompt: Prompt): Promise<void> {
  const history = new History();
  await greet(prompt);
  const lines = createInterface({
    input: process.stdin,
    output: process.stdout,
    history: history.load(),
    historySize: 1_000,
    removeHistoryDuplicates: true,
    completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
      void complete(prompt.client, line).then(result => done(null, result));
    },
  });
  const waiting: string[] = [];
  let isBusy = false;

  /** Carries out what was typed or pasted meanwhile too, line after line. */
  const carryOut = async () => {
    if (isBusy) return;
    isBusy = true;
    for (let line = waiting.shift(); line !== undefined; line = waiting.shift()) {
      if (!(await prompt.run(line))) {
        lines.close();
        return;
      }
    }
    isBusy = false;
    ask(lines, prompt);
  };

  lines.on('line', line => {
    history.add(line);
    waiting.push(line);
    void carryOut();
  });
  lines.on('SIGINT', () => {
    if (prompt.isRunning) {
      waiting.length = 0;
      prompt.interrupt();
      return;
    }
    process.stdout.write(lines.line === '' ? '^C (quit or Ctrl-D leaves)\n' : '^C\n');
    // There is no call that empties the line: go to its end, and delete all before.
    lines.write(null, { ctrl: true, name: 'e' });
    lines.write(null, { ctrl: true, name: 'u' });
    ask(lines, prompt);
  });
  ask(lines, prompt);
  await new Promise<void>(resolve => {
    lines.on('close', () => {
      if (!isBusy) process.stdout.write('\n');
      prompt.interrupt();
      resolve();
    });
  });
}

function ask(lines: Interface, prompt: Prompt): void {
  lines.setPrompt(`${prompt.client.address}> `);
  lines.prompt();
}

async function greet({ client }: Prompt): Promise<void> {
  await print(`raftline ${VERSION}: help lists what you can say, Tab completes it, Ctrl-D leaves.`);
  try {
    const { node, stage, role } = await client.hello();
    await print(`${node} answers (stage ${stage}, ${role}).`);
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error));
  }
}
