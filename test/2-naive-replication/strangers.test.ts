import { strangers } from '../shared/strangers.ts';

strangers(2, { takesLines: true });
