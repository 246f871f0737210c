import type { Registration } from '../recipes/registration.ts';
import type { Instance, Services } from '../recipes/services.ts';
import { clientVerb } from './client-verb.ts';
import { TTL_FLAG } from './lock.ts';
import { complain, print, quoted } from './print.ts';
import { raised, untilStopped } from './until-stopped.ts';
import { UsageError } from './usage-error.ts';

export const register = clientVerb({
  name: 'register',
  hasSession: true,
  about: 'lets others find an instance of a service, until Ctrl-C',
  usage: 'register SERVICE ID ADDRESS [--meta JSON]',
  details: `The instance is there for as long as this process is, and is taken out when it ends; when it is killed, within the
time of --ttl. After a time in which no node could be reached it comes back by itself. Whoever registers the same id
later takes it over; this process says so, and takes it again once the other is gone.

  raftline register web web-1 10.0.0.5:8080 --meta '{"zone":"a"}'`,
  flags: {
    meta: { type: 'string', value: 'JSON', about: 'what else its clients may want to know' },
    ttl: TTL_FLAG,
    json: { type: 'boolean', about: 'say what is registered as a JSON object' },
  },
  words: [3, 3],
  async perform(call, session) {
    const [service = '', id = '', address = ''] = call.words;
    const { meta, ttl, json } = call.flags;
    const instance: Instance = { id, address, ...(meta !== undefined && { meta: metaOf(String(meta)) }) };
    return untilStopped(session, async stopped => {
      const options = { signal: stopped, ...(typeof ttl === 'number' && { ttl }) };
      try {
        const registration = await session.client.register(service, instance, options);
        const name = `${quoted(id)} of ${quoted(service)}`;
        const registered = json
          ? JSON.stringify({ service, ...instance, key: registration.key })
          : `${name} is registered at ${quoted(address)}`;
        registration.onChange(() => {
          if (registration.isThere) void print(registered);
          else complain(`register: ${name} ${absenceOf(registration)}`);
        });
        await print(registered);
        await raised(stopped);
        await registration.withdraw();
      } catch (error) {
        if (!stopped.aborted) throw error;
      }
      return 0;
    });
  },
});

/** Why an instance is not there, in words that follow its name. */
function absenceOf({ successor, failure }: Registration): string {
  if (successor !== undefined) {
    const at = quoted(successor.address);
    return `is taken over by another, registered at ${at}: it is registered here again once that one is gone`;
  }
  if (failure !== undefined) return `is no longer registered: ${failure.message}`;
  return 'is not registered at the moment: no node could be reached in time; it is tried again';
}

function metaOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`register: --meta is not JSON: ${JSON.stringify(text)}`);
  }
}

export const services = clientVerb({
  name: 'services',
  about: 'lists the instances of a service',
  usage: 'services SERVICE [--watch]',
  details: `A line for each instance: its id, its address and, if it has any, its meta as JSON, with tabs. Exits with 1 when there
is none. With --watch, a line whenever one comes ("up" and the rest) or goes ("down" and its id), until Ctrl-C.

  raftline services web
  raftline services web --watch`,
  flags: {
    watch: { type: 'boolean', about: 'go on, with a line for each that comes or goes' },
    json: { type: 'boolean', about: 'a JSON object for each' },
  },
  words: [1, 1],
  async perform(call, session) {
    const [service = ''] = call.words;
    const { watch, json } = call.flags;
    const found = session.client.services(service);
    const show = (instance: Instance) => print(json ? JSON.stringify(instance) : lineOf(instance));
    try {
      if (watch) {
        return await untilStopped(session, stopped => follow(found, Boolean(json), stopped));
      }
      await found.ready;
      for (const instance of found.list()) await show(instance);
      if (found.list().length > 0) return 0;
      complain(`services ${quoted(service)} at ${session.client.address}: there is none`);
      return 1;
    } finally {
      found.close();
    }
  },
});

/** Prints what comes and what goes. Lines wait for each other here, so that they stay in order. */
async function follow(found: Services, isJson: boolean, stopped: AbortSignal): Promise<number> {
  let known = new Map<string, string>();
  let lines = Promise.resolve();
  found.onChange(instances => {
    const now = new Map(instances.map(instance => [instance.id, lineOf(instance)]));
    const gone = [...known.keys()].filter(id => !now.has(id));
    const come = instances.filter(instance => known.get(instance.id) !== lineOf(instance));
    known = now;
    const down = gone.map(id => (isJson ? JSON.stringify({ type: 'down', id }) : `down\t${quoted(id)}`));
    const up = come.map(one => (isJson ? JSON.stringify({ type: 'up', ...one }) : `up\t${lineOf(one)}`));
    for (const line of [...down, ...up]) lines = lines.then(() => print(line));
  });
  await Promise.race([found.ready, raised(stopped)]);
  await raised(stopped);
  await lines;
  return 0;
}

function lineOf({ id, address, meta }: Instance): string {
  const fields = [quoted(id), quoted(address)];
  if (meta !== undefined) fields.push(JSON.stringify(meta));
  return fields.join('\t');
}
