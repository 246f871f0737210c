import type { Ballot } from '../raft/entry.ts';
import { AppendFile } from './append-file.ts';
import { damaged } from './data-error.ts';
import { type Done, FILE_MODE, type FileSystem, isNoSpace } from './file-system.ts';
import { encodeRecord, isCount, parseJson } from './record.ts';
import { RecordReader, readRecords } from './record-reader.ts';
import type { SpareDescriptor } from './spare-descriptor.ts';

/** Above this the file is written anew with its last ballot alone. */
const MOST_BYTES = 65_536;

/** What `vote.ndjson` says, and where its last whole record ends. */
export interface ReadBallot {
  readonly ballot: Ballot;
  readonly end: number;
  readonly isTorn: boolean;
}

/** Reads the last ballot of a file; throws where it is damaged. */
export function readBallot(files: FileSystem, path: string, fd: number): ReadBallot {
  const reader = new RecordReader(files, fd, 0, 8_192);
  let ballot: Ballot = { term: 0, vote: null };
  const end = readRecords(reader, path, () => {
    const next = ballotOf(parseJson(reader.json));
    if (next === undefined) damaged(path, reader.offset, 'this record is not a term and a vote');
    const isLater = next.term > ballot.term || (next.term === ballot.term && isSameOrFirst(ballot, next));
    if (!isLater)
      damaged(path, reader.offset, `term ${next.term} after term ${ballot.term}, or a second vote`);
    ballot = next;
  });
  return { ballot, end, isTorn: reader.rest.length > 0 };
}

function isSameOrFirst(before: Ballot, next: Ballot): boolean {
  return before.vote === null || before.vote === next.vote;
}

function ballotOf(content: unknown): Ballot | undefined {
  const { term, vote } = (content ?? {}) as Record<string, unknown>;
  if (!isCount(term) || (vote !== null && typeof vote !== 'string')) return undefined;
  return { term, vote };
}

/** Remembers the term and the vote. Each is appended; the file is replaced by a fresh one when it has grown. */
export class BallotFile {
  readonly #files: FileSystem;
  readonly #spare: SpareDescriptor;
  readonly #directory: number;
  readonly #mostBytes: number;
  #file: AppendFile;

  /** `directory`: a descriptor of the directory that holds the file; this closes it. */
  constructor(
    files: FileSystem,
    spare: SpareDescriptor,
    file: AppendFile,
    directory: number,
    mostBytes = MOST_BYTES,
  ) {
    this.#files = files;
    this.#spare = spare;
    this.#file = file;
    this.#directory = directory;
    this.#mostBytes = mostBytes;
  }

  /** Begins to make a ballot durable; false when the disk has no room for it, and then `done` is never called. */
  store(ballot: Ballot, done: Done): boolean {
    const line = `${encodeRecord({ term: ballot.term, vote: ballot.vote })}\n`;
    if (this.#file.size + line.length > this.#mostBytes && this.#replace(line, done)) return true;
    if (!this.#file.append(line)) return false;
    this.#file.sync(done);
    return true;
  }

  /** Writes the ballot to a file beside this one, and puts that in its place once it is durable. */
  #replace(line: string, done: Done): boolean {
    const { path } = this.#file;
    const temporary = `${path}.tmp`;
    let fd: number;
    try {
      fd = this.#spare.open(temporary, 'w+', FILE_MODE);
    } catch (error) {
      if (isNoSpace(error)) return false;
      throw error;
    }
    const fresh = new AppendFile(this.#files, path, fd, 0);
    if (!fresh.append(line)) {
      this.#spare.close(fd);
      this.#files.remove(temporary);
      return false;
    }
    fresh.sync(error => {
      if (error) return done(error);
      try {
        this.#files.rename(temporary, path);
      } catch (failed) {
        return done(failed as Error);
      }
      const old = this.#file.fd;
      this.#file = fresh;
      this.#files.fsync(this.#directory, problem => {
        this.#spare.close(old);
        done(problem);
      });
    });
    return true;
  }

  close(): void {
    this.#spare.close(this.#file.fd);
    this.#files.close(this.#directory);
  }
}
