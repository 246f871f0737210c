/** Where the examples find a cluster: `npm start` has one there. */
export const address = process.env.RAFTLINE_ADDRESS ?? '127.0.0.1:7001';
