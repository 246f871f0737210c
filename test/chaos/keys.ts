import type { Random } from '../shared/random.ts';

/** Operations that may be open on a key at once, those that nobody will ever know the outcome of included. */
export const MOST_OPEN = 8;
/** Outcomes that may stay unknown before a key is left alone. */
const MOST_UNKNOWN = 4;
/** Operations on one key, so that each search for an order stays short. */
const MOST_OPERATIONS = 500;

class Place {
  generation = 0;
  underWay = 0;
  unknown = 0;
  operations = 0;
}

/**
 * The keys that clients contend for. A key is replaced by a fresh one before the outcomes that stay unknown on it
 * are so many that nobody could search all their orders.
 */
export class Keys {
  readonly #places: readonly Place[];
  readonly #used: string[] = [];

  constructor(count: number) {
    this.#places = Array.from({ length: count }, () => new Place());
    for (const at of this.#places.keys()) this.#used.push(nameOf(at, 0));
  }

  /** Every key that was ever in use. */
  get used(): readonly string[] {
    return this.#used;
  }

  /** A key with room for one more operation, and what to call with whether its outcome is known. */
  take(dice: Random): { readonly key: string; readonly done: (isKnown: boolean) => void } | undefined {
    const at = dice.below(this.#places.length);
    const place = this.#places[at] as Place;
    if (place.unknown >= MOST_UNKNOWN || place.operations >= MOST_OPERATIONS) this.#renew(at, place);
    const { generation } = place;
    if (place.underWay + place.unknown >= MOST_OPEN) return undefined;
    place.underWay += 1;
    place.operations += 1;
    const done = (isKnown: boolean) => {
      if (place.generation !== generation) return;
      place.underWay -= 1;
      if (!isKnown) place.unknown += 1;
    };
    return { key: nameOf(at, generation), done };
  }

  #renew(at: number, place: Place): void {
    place.generation += 1;
    place.underWay = 0;
    place.unknown = 0;
    place.operations = 0;
    this.#used.push(nameOf(at, place.generation));
  }
}

function nameOf(place: number, generation: number): string {
  return `/contended/${place}/${generation}`;
}
