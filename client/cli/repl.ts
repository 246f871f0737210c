import split2 from 'split2';
import { CONNECTION_FLAGS } from './client-flags.ts';
import { clientFor } from './client-verb.ts';
import { endWithOutput } from './print.ts';
import { Prompt } from './prompt.ts';
import { atTerminal } from './terminal.ts';
import type { Verb } from './verb.ts';

/** Milliseconds to wait for the answer to a line that is sent as it is. */
const TIMEOUT = 5_000;

export const repl: Verb = {
  name: 'repl',
  about: 'opens a prompt on a cluster',
  usage: 'repl',
  details: `Takes the client's verbs, and lines of the protocol as they are. At a terminal, Tab completes verbs and keys. Over
a pipe it carries out each line, and exits with the status of the last.

  raftline repl --address 127.0.0.1:7001,127.0.0.1:7002
  printf 'set /a 1\\nget /a\\n' | raftline repl`,
  flags: CONNECTION_FLAGS,
  words: [0, 0],
  async run(call) {
    endWithOutput();
    const client = clientFor(call);
    const { timeout } = call.flags;
    const prompt = new Prompt(client, typeof timeout === 'number' ? timeout : TIMEOUT);
    try {
      if (process.stdin.isTTY) await atTerminal(prompt);
      else await overPipe(prompt);
      return prompt.status;
    } finally {
      prompt.close();
      await client.close();
    }
  },
};

async function overPipe(prompt: Prompt): Promise<void> {
  for await (const line of process.stdin.pipe(split2('\n'))) {
    if (!(await prompt.run(line))) break;
  }
  process.stdin.destroy();
}
