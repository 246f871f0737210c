/**
 * Bytes that one message may have before gRPC itself refuses it: above what a request may have (that is refused in
 * our own words), and above the largest that nodes say to each other, a batch and one entry that may be a whole line.
 */
export const MOST_MESSAGE = 4_194_304;
