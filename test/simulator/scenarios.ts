import { Director, type DirectorOptions, play } from './director.ts';
import { APPLICATION_SCENARIOS } from './scenarios/applications.ts';
import { CLIENT_SCENARIOS } from './scenarios/clients.ts';
import { CORE_SCENARIOS } from './scenarios/core.ts';
import { DISK_SCENARIOS } from './scenarios/disks.ts';
import { MEMBER_SCENARIOS } from './scenarios/members.ts';
import { SNAPSHOT_SCENARIOS } from './scenarios/snapshots.ts';
import type { Violation } from './violation.ts';

/** A schedule of faults written as code, for what chance alone finds too seldom. */
export interface Scenario extends Omit<DirectorOptions, 'trace'> {
  /** What it shows, as a sentence. */
  readonly name: string;
  readonly play: (director: Director) => void;
}

export const SCENARIOS: readonly Scenario[] = [
  ...CORE_SCENARIOS,
  ...CLIENT_SCENARIOS,
  ...DISK_SCENARIOS,
  ...SNAPSHOT_SCENARIOS,
  ...MEMBER_SCENARIOS,
  ...APPLICATION_SCENARIOS,
];

export function playScenario(name: string, trace?: (line: string) => void): Violation | undefined {
  const scenario = SCENARIOS.find(other => other.name === name);
  if (scenario === undefined) throw new Error(`there is no scenario "${name}"`);
  return play(new Director({ ...scenario, trace }), scenario.play);
}
