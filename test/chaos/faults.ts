import { diskFaults } from './faults/disks.ts';
import type { Fault } from './faults/fault.ts';
import { fileFaults } from './faults/files.ts';
import { memberFaults } from './faults/members.ts';
import { networkFaults } from './faults/network.ts';
import { processFaults } from './faults/processes.ts';

const ALL = { ...processFaults, ...networkFaults, ...diskFaults, ...fileFaults, ...memberFaults };

export type FaultKind = keyof typeof ALL;

/** Everything that is done to a cluster. */
export const FAULTS: Readonly<Record<FaultKind, Fault>> = ALL;

/** The kinds that a cluster of this stage and size can meet. */
export function kindsFor(stage: number, nodes: number): FaultKind[] {
  const fits = ({ stage: first = 0, nodes: least = 1 }: Fault) => first <= stage && least <= nodes;
  return (Object.keys(FAULTS) as FaultKind[]).filter(kind => fits(FAULTS[kind]));
}
