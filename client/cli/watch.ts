import type { ClusterEvent, WatchUpdate } from '../results.ts';
import { clientVerb, type Session } from './client-verb.ts';
import { complain, count, print, quoted } from './print.ts';
import { untilStopped } from './until-stopped.ts';
import { UsageError } from './usage-error.ts';
import type { Call } from './verb.ts';

export const watch = clientVerb({
  name: 'watch',
  about: 'prints what happens to keys, until Ctrl-C',
  usage: 'watch PREFIX [--from REV] | watch --cluster',
  details: `A line for each event, with tabs: revision, "set", key, value; or revision, "remove", key. Keys and values are bare
where they are plain, and otherwise JSON strings, as in list. It goes on by itself when a node is lost. Where the cluster no longer knows what happened since a revision, a line with the revision and
"reset" comes, and behind it every key that is there, as if it were set.

  raftline watch /app/
  raftline watch /app/ --from 42     what happened since, from revision 42 on
  raftline watch --cluster           a line when another node leads, or the members change`,
  flags: {
    from: { type: 'integer', value: 'REV', about: 'begin with this revision', least: 1 },
    cluster: { type: 'boolean', about: 'watch the leader and the members instead of keys' },
    json: { type: 'boolean', about: 'a JSON object for each event' },
  },
  words: [0, 1],
  async perform(call, session) {
    const { from, cluster } = call.flags;
    const [prefix] = call.words;
    if (cluster && (prefix !== undefined || from !== undefined)) {
      throw new UsageError('watch: --cluster stands alone, without a prefix or --from');
    }
    if (!cluster && prefix === undefined) {
      throw new UsageError('watch: which keys? Give a prefix, "" for all of them, or --cluster');
    }
    return untilStopped(session, async signal => {
      try {
        if (cluster) await watchCluster(call, session, signal);
        else await watchKeys(prefix ?? '', call, session, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
      return 0;
    });
  },
});

async function watchKeys(
  prefix: string,
  call: Call,
  { client }: Session,
  signal: AbortSignal,
): Promise<void> {
  const { from } = call.flags;
  const options = { signal, ...(typeof from === 'number' && { from }) };
  for await (const update of client.watch(prefix, options)) {
    const lines = call.flags.json ? jsonLines(update) : eventLines(update);
    await print(lines.join('\n'));
    if (update.type === 'reset') {
      const keys = count(update.entries.length, 'key');
      complain(
        `watch ${quoted(prefix)}: what happened before revision ${update.rev} is compacted; ${keys} now`,
      );
    }
  }
}

function eventLines(update: WatchUpdate): string[] {
  if (update.type === 'reset') {
    const entries = update.entries.map(({ key, value, mod }) =>
      line(mod, 'set', quoted(key), quoted(value ?? '')),
    );
    return [line(update.rev, 'reset'), ...entries];
  }
  return update.events.map(event =>
    event.type === 'set'
      ? line(update.rev, 'set', quoted(event.key), quoted(event.value))
      : line(update.rev, 'remove', quoted(event.key)),
  );
}

function jsonLines(update: WatchUpdate): string[] {
  if (update.type === 'reset') return [JSON.stringify(update)];
  return update.events.map(event => JSON.stringify({ rev: update.rev, ...event }));
}

async function watchCluster(call: Call, { client }: Session, signal: AbortSignal): Promise<void> {
  for await (const event of client.watchCluster({ signal })) {
    await print(call.flags.json ? JSON.stringify(event) : clusterLine(event));
  }
}

function clusterLine(event: ClusterEvent): string {
  if (event.type === 'leader') {
    return line('leader', event.id ?? 'none', event.address ?? '', `term ${event.term}`);
  }
  return line('members', ...event.members.map(({ id, address, role }) => `${id} ${address} ${role}`));
}

function line(...fields: readonly (string | number)[]): string {
  return fields.join('\t');
}
