import type { Parcel } from '../ports/transport.ts';

/** A parcel as lines without the last newline: the header, which says how many lines follow it, and those lines. */
export function textOf({ header, lines }: Parcel): string {
  if (lines.length === 0) return JSON.stringify(header);
  return `${JSON.stringify({ ...header, lines: lines.length })}\n${lines.join('\n')}`;
}
