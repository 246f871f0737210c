import { isUtf8 } from 'node:buffer';
import { LIMITS } from '../../src/wire/limits.ts';
import { UsageError } from './usage-error.ts';

/** A value from standard input: every byte of it, a last newline too, as long as it is UTF-8 and not too large. */
export async function valueFromInput(): Promise<string> {
  return textFromInput('set', LIMITS.value);
}

/** All of standard input, for a verb; `limit` is how many bytes it may have. */
export async function textFromInput(verb: string, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit) {
      const what = verb === 'set' ? 'a value' : 'a request';
      throw new UsageError(`${verb}: standard input is longer than ${what} may be (${limit} bytes)`);
    }
  }
  const bytes = Buffer.concat(chunks);
  if (!isUtf8(bytes))
    throw new UsageError(`${verb}: standard input is not UTF-8; encode it first, as with base64`);
  return bytes.toString();
}
