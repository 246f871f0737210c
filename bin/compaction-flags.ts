import type { Call, Flag } from '../client/cli/verb.ts';
import { type CompactionLimits, DEFAULT_LIMITS } from '../src/node/compaction.ts';

/** After how much a node compacts its log. */
export const COMPACTION_FLAGS: Readonly<Record<string, Flag>> = {
  'compact-entries': {
    type: 'integer',
    value: 'N',
    about: `entries after which the log is compacted, from stage 7 (${DEFAULT_LIMITS.entries})`,
    least: 1,
  },
  'compact-bytes': {
    type: 'integer',
    value: 'BYTES',
    about: `bytes of entries after which it is, if that comes first (${DEFAULT_LIMITS.bytes})`,
    least: 1,
  },
};

/** The limits that the flags ask for, or undefined where they say nothing. */
export function readLimits({ flags }: Call): CompactionLimits | undefined {
  const { 'compact-entries': entries, 'compact-bytes': bytes } = flags;
  if (entries === undefined && bytes === undefined) return undefined;
  return {
    entries: Number(entries ?? DEFAULT_LIMITS.entries),
    bytes: Number(bytes ?? DEFAULT_LIMITS.bytes),
  };
}
