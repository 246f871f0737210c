import { dirname, join } from 'node:path';
import { DataError, damaged } from './data-error.ts';
import { codeOf, FILE_MODE, type FileSystem, syncDirectory } from './file-system.ts';
import { encodeRecord, parseJson } from './record.ts';
import { RecordReader } from './record-reader.ts';

/** The format that this version reads and writes. */
const FORMAT = 1;

/** Whose directory it is. The cluster is null until the node is part of one. */
export interface Identity {
  readonly node: string;
  readonly cluster: string | null;
  /** The cluster that its list of nodes would begin, where that is not its own: it was restored from a backup. */
  readonly list?: string;
  /** Tells this directory from every other, and from one that the same node had and lost. */
  readonly instance?: string;
  /** Those of the other nodes, as they were when this one first met each. */
  readonly peers?: Readonly<Record<string, string>>;
  /** The node was removed from its cluster once. When it is no member, that is why, though its log may not tell any more. */
  readonly removed?: boolean;
}

/** Where everything is in a data directory. */
export class DataDirectory {
  readonly path: string;
  readonly node: string;
  readonly vote: string;
  readonly log: string;
  readonly snapshots: string;
  readonly #files: FileSystem;

  constructor(files: FileSystem, path: string) {
    this.#files = files;
    this.path = path;
    this.node = join(path, 'node.json');
    this.vote = join(path, 'vote.ndjson');
    this.log = join(path, 'log');
    this.snapshots = join(path, 'snapshots');
  }

  /** Whose it is, or undefined where no node has ever been. Throws for what this version cannot read. */
  identity(): Identity | undefined {
    let fd: number;
    try {
      fd = this.#files.open(this.node, 'r');
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      return undefined;
    }
    try {
      return this.#readIdentity(new RecordReader(this.#files, fd, 0, 4_096));
    } finally {
      this.#files.close(fd);
    }
  }

  /** No tail of this file is ever torn: it comes into being by a rename. */
  #readIdentity(reader: RecordReader): Identity {
    if (!reader.next() || !reader.isSound) damaged(this.node, 0, 'it is not one sound record');
    const content = parseJson(reader.json);
    const end = reader.end;
    const { format, node, cluster, list, instance, peers, removed } = (content ?? {}) as Record<
      string,
      unknown
    >;
    if (typeof format === 'number' && format > FORMAT) {
      const words = `${this.node} says format ${format}, and this version reads format ${FORMAT}: use the version of raftline that wrote ${this.path}, or a later one. Nothing was changed.`;
      throw new DataError('future', words, this.node, 0);
    }
    const isKnown = format === FORMAT && typeof node === 'string';
    const isList = list === undefined || typeof list === 'string';
    if (!isKnown || !isList || (cluster !== null && typeof cluster !== 'string')) {
      damaged(this.node, 0, 'it does not name a format, a node and a cluster');
    }
    if (reader.next() || reader.rest.length > 0) damaged(this.node, end, 'there is more than one record');
    return {
      node,
      cluster,
      ...(list !== undefined && { list }),
      ...(typeof instance === 'string' && { instance }),
      ...(isTable(peers) && { peers }),
      ...(removed === true && { removed }),
    };
  }

  /** Refuses a directory that belongs to another node, or to another cluster than the one of this name or list. */
  check(found: Identity, node: string, cluster: string | null): void {
    if (found.node !== node) {
      const words = `${this.path} belongs to node ${found.node}, not to ${node}: give ${node} a directory of its own, or start it as ${found.node}.`;
      throw new DataError('foreign', words, this.node);
    }
    const isOwn = found.cluster === cluster || found.list === cluster;
    if (cluster !== null && found.cluster !== null && !isOwn) {
      // Whoever has changed the list at a node with data must not be led to throw that away.
      const remedy = `start ${node} without --nodes, which a node with data does not need, or with the list as it was; add-learner adds and moves members`;
      const words = `${this.path} belongs to cluster ${found.cluster}, which did not begin with these nodes (they would be cluster ${cluster}): ${remedy}. Only for a node of another cluster name another directory, and keep this one.`;
      throw new DataError('foreign', words, this.node);
    }
  }

  /** Writes whose it is; until this is durable the directory counts as new. */
  claim(identity: Identity): void {
    const temporary = `${this.node}.tmp`;
    const fd = this.#files.open(temporary, 'w', FILE_MODE);
    try {
      const bytes = Buffer.from(`${encodeRecord({ format: FORMAT, ...identity })}\n`);
      const written = this.#files.write(fd, bytes, 0, bytes.length, 0);
      if (written < bytes.length) {
        const words = `${temporary}: only ${written} bytes could be written`;
        throw Object.assign(new Error(words), { code: 'ENOSPC' });
      }
      this.#files.fsyncNow(fd);
    } finally {
      this.#files.close(fd);
    }
    this.#files.rename(temporary, this.node);
    this.syncDirectory(this.path);
  }

  /** Whose it is, of a directory that was claimed before. */
  #claimed(): Identity {
    const found = this.identity();
    if (found === undefined) throw new Error(`${this.node} is missing`);
    return found;
  }

  /** Writes which data directory another node has. */
  remember(peer: string, instance: string): void {
    const found = this.#claimed();
    this.claim({ ...found, peers: { ...found.peers, [peer]: instance } });
  }

  /** Writes that the node was removed from its cluster. */
  dismiss(): void {
    this.claim({ ...this.#claimed(), removed: true });
  }

  /** Writes that the node is now part of a cluster. */
  join(cluster: string): void {
    const found = this.#claimed();
    this.check(found, found.node, cluster);
    if (found.cluster !== cluster) this.claim({ ...found, cluster });
  }

  /** Makes the names in a directory durable. */
  syncDirectory(path: string): void {
    syncDirectory(this.#files, path);
  }

  /** Lays out the directory of a node that has never been, up to but without `node.json`. */
  layOut(firstSegment: string): void {
    this.#files.makeDirectory(this.log);
    this.#files.makeDirectory(this.snapshots);
    for (const path of [this.vote, firstSegment]) {
      const fd = this.#files.open(path, 'a', FILE_MODE);
      this.#files.fsyncNow(fd);
      this.#files.close(fd);
    }
    this.syncDirectory(this.log);
    // Before the name of `node.json`, which says that these are there: names may become durable in any order.
    this.syncDirectory(this.path);
    this.syncDirectory(dirname(this.path));
  }
}

function isTable(value: unknown): value is Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every(mark => typeof mark === 'string');
}
