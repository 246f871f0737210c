import type { Parcel } from '../ports/transport.ts';

/** Lines that one message may have behind its header. */
const MOST_LINES = 65_536;
/** Characters that one message may have; a leader's batch is far below, save for one entry that may be a whole line. */
const MOST_CHARACTERS = 8_388_608;

/** A parcel as lines without the last newline: the header, which says how many lines follow it, and those lines. */
export function textOf({ header, lines, text }: Parcel): string {
  if (lines.length === 0) return JSON.stringify(header);
  return `${JSON.stringify({ lines: lines.length, ...header })}\n${text ?? lines.join('\n')}`;
}

/** Puts the lines of parcels together again. */
export class ParcelReader {
  #header: Parcel['header'] | undefined;
  #awaited = 0;
  #lines: string[] = [];
  #size = 0;

  /** The parcel that this line completes, if it does. Throws when the line cannot be part of one. */
  take(line: string): Parcel | undefined {
    if (this.#header === undefined) this.#begin(line);
    else this.#lines.push(line);
    this.#size += line.length;
    if (this.#size > MOST_CHARACTERS) throw new Error('too large for one message');
    if (this.#header === undefined || this.#lines.length < this.#awaited) return undefined;
    const parcel = { header: this.#header, lines: this.#lines };
    this.#header = undefined;
    this.#lines = [];
    this.#size = 0;
    return parcel;
  }

  #begin(line: string): void {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed !== 'object' || parsed === null) throw new Error('a header is an object');
    const { lines = 0, ...fields } = parsed as Readonly<Record<string, unknown>>;
    this.#awaited = Number(lines);
    if (!(this.#awaited >= 0 && this.#awaited <= MOST_LINES))
      throw new Error('too many lines for one message');
    this.#header = fields;
  }
}
