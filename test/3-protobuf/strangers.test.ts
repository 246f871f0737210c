import { strangers } from '../shared/strangers.ts';

strangers(3);
