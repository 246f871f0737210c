import { crc32 } from 'node:zlib';
import type { Entry, Position } from '../raft/entry.ts';
import { checksumIn, hexOf, PREFIX } from './checksum.ts';

/** A record of the data directory: eight hex digits of the CRC-32 of the JSON text, a space, the JSON text. */
export function encodeRecord(content: unknown): string {
  const json = JSON.stringify(content);
  return `${hexOf(crc32(json))} ${json}`;
}

/** The value of a record, or undefined when its checksum does not fit its text. */
export function decodeRecord(line: string): unknown {
  const expected = checksumIn(line);
  if (expected === undefined) return undefined;
  const json = line.slice(PREFIX);
  return crc32(json) === expected ? parseJson(json) : undefined;
}

/** The value of a JSON text, or undefined: a checksum that fits proves what was written, not that it was JSON. */
export function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** The record of an entry: `[index, term, command]`, made once for the log, the links and the followers' logs. */
export function entryLine(entry: Entry): string {
  entry.line ??= encodeRecord([entry.index, entry.term, entry.command]);
  return entry.line;
}

/** The records of consecutive entries. */
export interface Records {
  readonly lines: readonly string[];
  /** The same in one piece, without the last newline. */
  readonly text: string;
}

const NO_RECORDS: Records = { lines: [], text: '' };
let latest: { first: Entry; last: Entry; records: Records } | undefined;

/**
 * The records of consecutive entries of one log. A leader's disk and its followers are mostly due the very same
 * entries, so the latest are kept: the entries at both ends tell those between.
 */
export function recordsOf(entries: readonly Entry[]): Records {
  const first = entries[0];
  const last = entries.at(-1);
  if (first === undefined || last === undefined) return NO_RECORDS;
  if (latest?.first === first && latest.last === last) return latest.records;
  const lines = entries.map(entryLine);
  latest = { first, last, records: { lines, text: lines.join('\n') } };
  return latest.records;
}

/** Reads an entry back from its record; undefined when the line is not a sound record of an entry. */
export function parseEntry(line: string): Entry | undefined {
  const entry = entryOf(decodeRecord(line), line.length);
  if (entry !== undefined) entry.line = line;
  return entry;
}

/** The entry that the value of a record of this size stands for, or undefined when it is none. */
export function entryOf(content: unknown, size: number): Entry | undefined {
  if (!Array.isArray(content) || content.length !== 3) return undefined;
  const [index, term, command] = content as [unknown, unknown, unknown];
  if (!isCount(index) || !isCount(term) || index === 0) return undefined;
  return { index, term, command, size, line: undefined };
}

/** The commit index that the value of a record stands for, or undefined when it is none. */
export function commitOf(content: unknown): number | undefined {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return undefined;
  const { commit, ...others } = content as Record<string, unknown>;
  return isCount(commit) && Object.keys(others).length === 0 ? commit : undefined;
}

/** The record of a log that begins anew behind a snapshot: what stands before it in the log counts no more (§7). */
export function beginLine({ index, term }: Position): string {
  return encodeRecord({ begin: [index, term] });
}

/** Where the value of a record says that the log begins anew, or undefined when it does not. */
export function beginOf(content: unknown): Position | undefined {
  const { begin, ...others } = (content ?? {}) as Record<string, unknown>;
  if (!Array.isArray(begin) || begin.length !== 2 || Object.keys(others).length > 0) return undefined;
  const [index, term] = begin as [unknown, unknown];
  return isCount(index) && isCount(term) ? { index, term } : undefined;
}

/** Whether a value is a number that counts something: an index, a term. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
