import { APPLICATION_PLANTS } from './plants/applications.ts';
import { CORE_PLANTS } from './plants/core.ts';
import { DISK_PLANTS } from './plants/disks.ts';
import { MEMBER_PLANTS } from './plants/members.ts';
import type { Plant } from './plants/plant.ts';
import { SNAPSHOT_PLANTS } from './plants/snapshots.ts';

/** Mistakes that others have made, or nearly. The simulator is as good as what it finds of them. */
export const PLANTS: readonly Plant[] = [
  ...CORE_PLANTS,
  ...DISK_PLANTS,
  ...SNAPSHOT_PLANTS,
  ...MEMBER_PLANTS,
  ...APPLICATION_PLANTS,
];
