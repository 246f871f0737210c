import { crc32 } from 'node:zlib';

/** Bytes of `01234567 ` before the JSON text of a record. */
export const PREFIX = 9;
const SPACE = 0x20;
/** Below this length the loop here beats a call into zlib. */
const SHORT = 192;

/** What a byte does to the checksum; then the same for a byte with one, two and three bytes behind it. */
const TABLE = new Int32Array(1_024);
for (let at = 0; at < TABLE.length; at += 1) {
  let crc = at < 256 ? at : (TABLE[at - 256] ?? 0);
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  TABLE[at] = crc;
}

/** The value of each lower-case hex digit, -1 for every other byte. */
const DIGIT = new Int8Array(256).fill(-1);
for (let value = 0; value < 16; value += 1) DIGIT[value.toString(16).charCodeAt(0)] = value;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Eight hex digits. `toString(16)` divides floating-point numbers for all beyond 2^31, and takes twenty times as long. */
export function hexOf(crc: number): string {
  return `${HEX[crc >>> 24]}${HEX[(crc >>> 16) & 0xff]}${HEX[(crc >>> 8) & 0xff]}${HEX[crc & 0xff]}`;
}

/** The checksum with which a line begins, if it begins as a record does. */
export function checksumIn(line: string): number | undefined {
  if (line[PREFIX - 1] !== ' ') return undefined;
  let value = 0;
  for (let at = 0; at < PREFIX - 1; at += 1) {
    const digit = DIGIT[line.charCodeAt(at)] ?? -1;
    if (digit < 0) return undefined;
    value = value * 16 + digit;
  }
  return value;
}

/** Whether the bytes from `start` to `end` are a record whose checksum fits its text. */
export function isSound(bytes: Buffer, start: number, end: number): boolean {
  const expected = checksumAt(bytes, start, end);
  if (expected === undefined) return false;
  const from = start + PREFIX;
  if (end - from > SHORT) return crc32(bytes.subarray(from, end)) === expected;
  return crcOf(bytes, from, end) === expected;
}

/** The checksum of the bytes from `from` to `end`, four at a time. */
function crcOf(bytes: Buffer, from: number, end: number): number {
  let crc = -1;
  let at = from;
  for (const last = end - 3; at < last; at += 4) {
    crc ^=
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24);
    crc =
      (TABLE[768 + (crc & 0xff)] ?? 0) ^
      (TABLE[512 + ((crc >>> 8) & 0xff)] ?? 0) ^
      (TABLE[256 + ((crc >>> 16) & 0xff)] ?? 0) ^
      (TABLE[crc >>> 24] ?? 0);
  }
  for (; at < end; at += 1) crc = step(crc, bytes[at] ?? 0);
  return (crc ^ -1) >>> 0;
}

/** Where the first whole record ends in these bytes, judged by its checksum alone; undefined when none does. */
export function endOfRecord(bytes: Buffer): number | undefined {
  const expected = checksumAt(bytes, 0, bytes.length);
  if (expected === undefined) return undefined;
  let crc = -1;
  for (let at = PREFIX; at < bytes.length; at += 1) {
    crc = step(crc, bytes[at] ?? 0);
    if ((crc ^ -1) >>> 0 === expected) return at + 1;
  }
  return undefined;
}

function step(crc: number, byte: number): number {
  return (TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
}

function checksumAt(bytes: Buffer, start: number, end: number): number | undefined {
  if (end - start <= PREFIX || bytes[start + PREFIX - 1] !== SPACE) return undefined;
  let value = 0;
  for (let at = start; at < start + PREFIX - 1; at += 1) {
    const digit = DIGIT[bytes[at] ?? 0] ?? -1;
    if (digit < 0) return undefined;
    value = value * 16 + digit;
  }
  return value;
}
