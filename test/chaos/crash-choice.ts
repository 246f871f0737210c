import type { Random } from '../shared/random.ts';

/** Of so many operations in a row that are the same, on the same file, each is tried; of more, the ends and some between. */
const ROW = 8;

/** So many of these points, drawn by dice, in order. */
export function drawn(all: readonly number[], dice: Random, most = Number.POSITIVE_INFINITY): number[] {
  const left = [...all];
  const points: number[] = [];
  while (points.length < most && left.length > 0) points.push(...left.splice(dice.below(left.length), 1));
  return points.sort((a, b) => a - b);
}

/** The numbers of the operations worth crashing at, of all that were counted. */
export function telling(operations: readonly string[], dice: Random): number[] {
  const rows: number[][] = [];
  for (const [at, operation] of operations.entries()) {
    const row = rows.at(-1);
    if (row !== undefined && operation === operations[at - 1]) row.push(at + 1);
    else rows.push([at + 1]);
  }
  const isEnd = (at: number, { length }: number[]) => at < ROW / 4 || at >= length - ROW / 4;
  return rows.flatMap(row =>
    row.length <= ROW ? row : row.filter((_, at) => isEnd(at, row) || dice.chance(ROW / 2 / row.length)),
  );
}
