import { isUtf8 } from 'node:buffer';
import { LIMITS } from '../../src/wire/limits.ts';
import { UsageError } from './usage-error.ts';

/** A value from standard input: every byte of it, a last newline too, as long as it is UTF-8 and not too large. */
export async function valueFromInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > LIMITS.value) {
      throw new UsageError(`set: standard input is longer than a value may be (${LIMITS.value} bytes)`);
    }
  }
  const bytes = Buffer.concat(chunks);
  if (!isUtf8(bytes))
    throw new UsageError('set: standard input is not UTF-8; encode it first, as with base64');
  return bytes.toString();
}
