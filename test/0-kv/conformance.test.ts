import { conformance } from '../shared/conformance.ts';
import { startNode } from '../shared/nodes.ts';

conformance({ name: 'stage 0', stage: 0, start: () => startNode(0) });
conformance({ name: 'stage 1', stage: 1, start: () => startNode(1) });
