/** What is wrong with a data directory. `future`: a later version wrote it; `foreign`: it is another node's. */
export type DataProblem = 'damaged' | 'foreign' | 'future' | 'in use' | 'unusable';

/** A data directory that a node must not run on. Nothing in it has been changed. */
export class DataError extends Error {
  readonly problem: DataProblem;
  readonly file: string;
  /** The byte of the file at which the trouble begins, where that means something. */
  readonly offset: number | undefined;

  constructor(problem: DataProblem, message: string, file: string, offset?: number) {
    super(message);
    this.name = 'DataError';
    this.problem = problem;
    this.file = file;
    this.offset = offset;
  }
}

const REMEDY =
  'Nothing was changed. Put the file back from a copy made while the node was stopped; or, while the other nodes ' +
  'have a majority, remove this node from the cluster and let it join again with an empty directory';

/** Throws: this file is not what a node left behind, and no crash explains it. */
export function damaged(file: string, offset: number, what: string): never {
  throw new DataError('damaged', `${file} is damaged at byte ${offset}: ${what}. ${REMEDY}.`, file, offset);
}
