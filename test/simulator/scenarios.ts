import { Director, play } from './director.ts';
import { CLIENT_SCENARIOS } from './scenarios/clients.ts';
import { CORE_SCENARIOS } from './scenarios/core.ts';
import { DISK_SCENARIOS } from './scenarios/disks.ts';
import type { Violation } from './violation.ts';

/** A schedule of faults written as code, for what chance alone finds too seldom. */
export interface Scenario {
  /** What it shows, as a sentence. */
  readonly name: string;
  readonly size: number;
  readonly segmentBytes?: number;
  readonly play: (director: Director) => void;
}

export const SCENARIOS: readonly Scenario[] = [...CORE_SCENARIOS, ...CLIENT_SCENARIOS, ...DISK_SCENARIOS];

export function playScenario(name: string, trace?: (line: string) => void): Violation | undefined {
  const scenario = SCENARIOS.find(other => other.name === name);
  if (scenario === undefined) throw new Error(`there is no scenario "${name}"`);
  return play(new Director(scenario.size, trace, scenario.segmentBytes), scenario.play);
}
