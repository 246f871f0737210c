import type { Entry, GetReply, PageReply, ResetUpdate } from '../results.ts';
import type { Wire } from './wire.ts';

/** One key, or all that begin with a prefix. */
export type Target = { readonly key: string } | { readonly prefix: string };

/**
 * Everything that is there now. `rev` is the revision of the first page: each key is as it was then or later, and
 * whatever came after `rev` is yet to be told.
 */
export async function readState(
  wire: Wire,
  target: Target,
  signal: AbortSignal | undefined,
): Promise<ResetUpdate> {
  const options = signal === undefined ? {} : { signal };
  if ('key' in target) {
    const { rev, ...found } = (await wire.request('get', { key: target.key }, options)) as GetReply;
    return { type: 'reset', rev, entries: found.value === null ? [] : [entryOf(found)] };
  }
  const entries: Entry[] = [];
  let rev: number | undefined;
  let after: string | undefined;
  do {
    const fields = { prefix: target.prefix, values: true, after };
    const page = (await wire.request('list', fields, options)) as PageReply;
    rev ??= page.rev;
    for (const entry of page.entries ?? []) entries.push(entry);
    after = page.next ?? undefined;
  } while (after !== undefined);
  return { type: 'reset', rev, entries };
}

function entryOf({ key, value, create, mod, version, lease }: Omit<GetReply, 'rev'>): Entry {
  return { key, value, create, mod, version, ...(lease !== undefined && { lease }) } as Entry;
}
