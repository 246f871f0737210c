import { hostile } from '../shared/hostile.ts';
import { forkNode } from '../shared/nodes.ts';

hostile({ name: 'stage 0', start: options => forkNode(0, options) });
