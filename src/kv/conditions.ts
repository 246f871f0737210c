import { type Failure, failure } from '../wire/errors.ts';
import type { Condition } from '../wire/fields.ts';
import { shortened } from '../wire/text.ts';
import type { Entry, Store } from './store.ts';

/** The CONFLICT of the first condition that does not hold, or undefined when all hold. `own` is the op's own key. */
export function conflict(
  store: Store,
  conditions: readonly Condition[] | undefined,
  own: string | undefined,
): Failure | undefined {
  for (const condition of conditions ?? []) {
    const key = condition.key ?? own ?? '';
    const entry = store.get(key);
    const broken = brokenTest(condition, entry);
    if (broken !== undefined) {
      const remedy = 'read it again and decide anew';
      return failure('CONFLICT', `${shortened(key)} ${broken}; ${remedy}`, { key, mod: entry?.mod ?? 0 });
    }
  }
  return undefined;
}

/** In words, the test of the condition that fails; an absent key has `mod`, `create` and `version` 0 and no value. */
function brokenTest(condition: Condition, entry: Entry | undefined): string | undefined {
  const { mod = 0, create = 0, version = 0 } = entry ?? {};
  if (condition.mod !== undefined && condition.mod !== mod) return `is at ${mod}, not ${condition.mod}`;
  if (condition.create !== undefined && condition.create !== create) {
    return `was created at ${create}, not ${condition.create}`;
  }
  if (condition.version !== undefined && condition.version !== version) {
    return `is at version ${version}, not ${condition.version}`;
  }
  if (condition.absent && entry !== undefined) return `exists, at ${mod}`;
  if (condition.exists && entry === undefined) return 'is absent';
  if (condition.value !== undefined && condition.value !== entry?.value) {
    return entry === undefined ? 'is absent' : 'has another value';
  }
  return undefined;
}
