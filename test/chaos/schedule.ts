import { Random } from '../shared/random.ts';
import type { Plan } from './faults/fault.ts';
import { FAULTS, type FaultKind } from './faults.ts';

/** A fault with its time: milliseconds from the beginning of its episode, and that it lasts. */
export interface Planned extends Plan {
  readonly kind: FaultKind;
  readonly after: number;
  readonly hold: number;
}

/** Faults that overlap, then all of them healed, then so many milliseconds of quiet. */
export interface Episode {
  readonly faults: readonly Planned[];
  readonly quiet: number;
}

export interface ScheduleOptions {
  readonly seed: number;
  /** How long it may last, in milliseconds, what it takes to start nodes again not counted. */
  readonly length: number;
  readonly ids: readonly string[];
  readonly kinds: readonly FaultKind[];
}

/** Draws what will be done, and when: the same for the same options, on every machine. */
export function drawSchedule({ seed, length, ids, kinds }: ScheduleOptions): Episode[] {
  const dice = new Random(seed);
  const episodes: Episode[] = [];
  let deck: FaultKind[] = [];
  // Every kind comes once before any comes again.
  const draw = (): FaultKind => {
    if (deck.length === 0) deck = [...kinds];
    return deck.splice(dice.below(deck.length), 1)[0] as FaultKind;
  };
  for (let left = length; left > 0; ) {
    const count = dice.pick([1, 1, 2, 2, 3]);
    const faults = Array.from({ length: count }, (): Planned => {
      const kind = draw();
      const isAlone = count === 1;
      const after = isAlone ? 0 : dice.below(800);
      const hold = isAlone ? 1_000 + dice.below(4_000) : 500 + dice.below(2_500);
      return { kind, after, hold, ...FAULTS[kind].draw(dice, ids) };
    });
    const quiet = 1_500 + dice.below(2_000);
    episodes.push({ faults, quiet });
    left -= quiet + Math.max(...faults.map(({ after, hold }) => after + hold));
  }
  return episodes;
}

/** Links that are named one by one; of more there is only the number. */
const MOST_NAMED = 4;

/** A fault in a few words. */
export function describePlan({ kind, on = [], links = [], leaderAs }: Planned): string {
  const names = links.map(link => link.join('→')).join(' ');
  const where = links.length > MOST_NAMED ? `(${links.length} links)` : names;
  const part = leaderAs === undefined ? '' : `with the leader as ${leaderAs}`;
  return [kind, on.length > 1 ? '' : on.join(''), where, part].filter(part => part !== '').join(' ');
}
