import type { Call, Flag } from '../client/cli/verb.ts';
import { DEFAULT_HISTORY, type HistoryBounds } from '../src/kv/history.ts';

const { revisions, characters } = DEFAULT_HISTORY;

/** How much of the past a node keeps for those who watch. */
export const HISTORY_FLAGS: Readonly<Record<string, Flag>> = {
  'history-revisions': {
    type: 'integer',
    value: 'N',
    about: `the latest revisions that a watch may begin from, from stage 4 (${revisions})`,
    least: 1,
  },
  'history-size': {
    type: 'integer',
    value: 'N',
    about: `characters that they may take, if those are fewer (${characters})`,
    least: 1,
  },
};

/** The bounds that the flags ask for, or undefined where they say nothing. */
export function readHistory({ flags }: Call): HistoryBounds | undefined {
  const { 'history-revisions': most, 'history-size': size } = flags;
  if (most === undefined && size === undefined) return undefined;
  return { revisions: Number(most ?? revisions), characters: Number(size ?? characters) };
}
