import type { Flag } from './verb.ts';

export const DEFAULT_ADDRESS = '127.0.0.1:7001';

/** How every client verb finds its node, and how long it waits. */
export const CONNECTION_FLAGS: Readonly<Record<string, Flag>> = {
  address: {
    type: 'string',
    value: 'A[,B…]',
    about: `nodes to ask, tried in turn (RAFTLINE_ADDRESS, or ${DEFAULT_ADDRESS})`,
  },
  timeout: { type: 'integer', value: 'MS', about: 'milliseconds to wait for an answer (5000)', least: 1 },
};

export const CLIENT_FLAGS: Readonly<Record<string, Flag>> = {
  ...CONNECTION_FLAGS,
  json: { type: 'boolean', about: 'print the reply line as it came' },
};
