import { strangers } from '../shared/strangers.ts';

strangers(3, { takesLines: false });
