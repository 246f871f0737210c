import type { LoadedVerbs } from '../client/cli/program.ts';

/** A node and the lab bring much along that a client never needs, so each is loaded only when it is asked for. */
export const VERBS: LoadedVerbs = {
  serve: async () => (await import('./serve.ts')).serve,
  lab: async () => (await import('../lab/lab.ts')).lab,
  backup: async () => (await import('./backup.ts')).backup,
  restore: async () => (await import('./restore.ts')).restore,
  export: async () => (await import('./export.ts')).exportKeys,
  import: async () => (await import('./import.ts')).importKeys,
  discover: async () => (await import('./discover.ts')).discover,
  recover: async () => (await import('./recover.ts')).recover,
  log: async () => (await import('./log.ts')).log,
};
