import { crc32 } from 'node:zlib';
import type { Entry } from '../raft/entry.ts';

/** A record of the data directory: eight hex digits of the CRC-32 of the JSON text, a space, the JSON text. */
export function encodeRecord(content: unknown): string {
  const json = JSON.stringify(content);
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}`;
}

/** The value of a record, or undefined when its checksum does not fit its text. */
export function decodeRecord(line: string): unknown {
  if (line[8] !== ' ') return undefined;
  const json = line.slice(9);
  if (crc32(json).toString(16).padStart(8, '0') !== line.slice(0, 8)) return undefined;
  return JSON.parse(json);
}

/** The record of an entry: `[index, term, command]`, made once for the log, the links and the followers' logs. */
export function entryLine(entry: Entry): string {
  entry.line ??= encodeRecord([entry.index, entry.term, entry.command]);
  return entry.line;
}

/** Reads an entry back from its record; undefined when the line is not a sound record of an entry. */
export function parseEntry(line: string): Entry | undefined {
  const content = decodeRecord(line);
  if (!Array.isArray(content) || content.length !== 3) return undefined;
  const [index, term, command] = content as [unknown, unknown, unknown];
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(term)) return undefined;
  return { index: index as number, term: term as number, command, size: line.length, line };
}
