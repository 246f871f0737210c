/** A command for the log, and about how many bytes it takes there. */
export interface Proposal {
  readonly command: unknown;
  readonly size: number;
}
