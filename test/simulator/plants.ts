import { LATER_PLANTS } from './later-plants.ts';

/** A mistake to be planted in the compiled production code: one text in one file, replaced by another. */
export interface Plant {
  /** The mistake, in a few words. */
  readonly name: string;
  /** Compiled, below dist. */
  readonly file: string;
  /** Occurs once, exactly. */
  readonly find: string;
  readonly replace: string;
}

const ELECTION = 'stages/6-election/election.js';
const REPLICATION = 'stages/4-log-replication/replication.js';
const HEARTBEATS = 'stages/5-heartbeats/heartbeats.js';

/** Mistakes that others have made, or nearly. The simulator is as good as what it finds of them. */
export const PLANTS: readonly Plant[] = [
  {
    name: 'a vote is told before it is durable',
    file: ELECTION,
    find: "state.sendDurable(from, { type: 'vote'",
    replace: "state.send(from, { type: 'vote'",
  },
  {
    name: 'votes are asked for before the own one is durable',
    file: ELECTION,
    find: 'state.sendDurable(voter, request)',
    replace: 'state.send(voter, request)',
  },
  {
    name: 'two votes in one term',
    file: ELECTION,
    find: 'state.vote === from || (state.vote === null && state.leader === null)',
    replace: 'true',
  },
  {
    name: 'a vote is forgotten at a restart',
    file: 'src/node/journal-open.js',
    find: 'ballot: vote.ballot,',
    replace: 'ballot: { term: vote.ballot.term, vote: null },',
  },
  {
    name: 'a vote for a log that is behind',
    file: ELECTION,
    find: 'const granted = isFree && isUpToDate;',
    replace: 'const granted = isFree;',
  },
  {
    name: 'the longer log counts as the more up to date',
    file: ELECTION,
    find: 'lastTerm > last.term || (lastTerm === last.term && lastIndex >= last.index)',
    replace: 'lastIndex >= last.index',
  },
  {
    name: 'a later term is not adopted',
    file: ELECTION,
    find: 'this.#follow(message.term, null);',
    replace: "if (message.type !== 'append') this.#follow(message.term, null);",
  },
  {
    name: 'votes of an earlier campaign count',
    file: ELECTION,
    find: 'this.#votes.clear();',
    replace: '',
  },
  {
    name: 'entries of earlier terms are committed by counting',
    file: REPLICATION,
    find: 'if (index <= state.commit || log.termAt(index) !== state.term)',
    replace: 'if (index <= state.commit)',
  },
  {
    name: 'a leader begins without a no-op',
    file: 'stages/8-membership/raft.js',
    find: 'this.state.leadsFrom = this.#replication.propose([NO_OP]);',
    replace: '',
  },
  {
    name: 'a leader reads before its no-op is committed',
    file: HEARTBEATS,
    find: 'this.#asked.length > 0 && state.commit >= state.leadsFrom',
    replace: 'this.#asked.length > 0',
  },
  {
    name: 'entries are acknowledged before they are durable',
    file: REPLICATION,
    find: "state.sendDurable(from, { type: 'appended', term, match });",
    replace: "state.send(from, { type: 'appended', term, match });",
  },
  {
    name: 'a leader counts its own entries before they are durable',
    file: REPLICATION,
    find: 'id === state.id ? state.durable',
    replace: 'id === state.id ? log.last.index',
  },
  {
    name: 'an old message truncates entries that match',
    file: REPLICATION,
    find: 'const fresh = entries.findIndex(entry => log.termAt(entry.index) !== entry.term);',
    replace: 'const fresh = entries.length > 0 ? 0 : -1;',
  },
  {
    name: 'entries that conflict are not truncated',
    file: REPLICATION,
    find: 'const fresh = entries.findIndex(entry => log.termAt(entry.index) !== entry.term);',
    replace: 'const fresh = entries.findIndex(entry => entry.index > log.last.index);',
  },
  {
    name: 'the term before the entries is not compared',
    file: REPLICATION,
    find: 'if (log.termAt(prevIndex) !== prevTerm)',
    replace: 'if (log.termAt(prevIndex) === undefined)',
  },
  {
    name: 'a follower commits what no message has verified',
    file: REPLICATION,
    find: 'state.commitTo(Math.min(commit, match));',
    replace: 'state.commitTo(Math.min(commit, log.last.index));',
  },
  {
    name: 'a heartbeat tells a commit index beyond what the follower holds',
    file: HEARTBEATS,
    find: 'const commit = Math.min(state.commit, progress.match);',
    replace: 'const commit = state.commit;',
  },
  {
    name: 'the commit index goes back',
    file: 'src/raft/state.js',
    find: 'if (index > this.#commit)',
    replace: '',
  },
  {
    name: 'a read is answered without a majority',
    file: HEARTBEATS,
    find: 'if (!quorum.agrees(voter => voter === id',
    replace: 'if (!quorum.agrees(voter => true',
  },
  {
    name: 'a read is granted at an index from before it was asked',
    file: HEARTBEATS,
    find: 'this.#rounds.push({ number: this.#round, index: state.commit, reads: this.#asked });',
    replace: 'this.#rounds.push({ number: this.#round - 1, index: state.commit, reads: this.#asked });',
  },
  {
    name: 'a ReadIndex is used again',
    file: 'src/node/reads.js',
    find: 'this.#number += 1;',
    replace: '',
  },
  {
    name: 'answers leave before their mark is durable',
    file: 'src/node/host.js',
    find: 'first !== undefined && first.mark <= this.#durable',
    replace: 'first !== undefined',
  },
  {
    name: 'a sync covers what was written while it ran',
    file: 'src/node/append-file.js',
    find: 'this.#durable = size;\n            done',
    replace: 'this.#durable = this.#size;\n            done',
  },
  {
    name: 'a failed sync counts as done',
    file: 'src/node/append-file.js',
    find: 'done(error);',
    replace: 'done(null);',
  },
  {
    name: 'a new segment is not entered in its directory durably',
    file: 'src/node/segmented-log.js',
    find: 'this.#owed = 0;\n        files.fsync(directoryFd, done);',
    replace: 'this.#owed = 0;\n        files.fsync(fd, done);',
  },
  {
    name: 'a segment is begun before the last one is durable',
    file: 'src/node/journal.js',
    find: 'if (this.#isSyncing || !this.#log.isWhollyDurable)',
    replace: 'if (false)',
  },
  {
    name: 'a torn tail is kept',
    file: 'src/node/journal-open.js',
    find: 'const current = this.#openForWriting(segment.path, segment.bytes, replay.isTorn);',
    replace: 'const current = this.#openForWriting(segment.path, segment.bytes, false);',
  },
  {
    name: 'what is replaced in a log comes back at a restart',
    file: 'src/node/journal-replay.js',
    find: 'if (kept < this.entries.length)',
    replace: 'if (kept < this.entries.length) return undefined; if (false)',
  },
  {
    name: 'an unknown outcome is called definite',
    file: 'src/node/changes.js',
    find: 'failed(failure(code, words, { definite: false }))',
    replace: 'failed(failure(code, words, { definite: true }))',
  },
  {
    name: "another leader's entry answers for one that it replaced",
    file: 'src/node/changes.js',
    find: 'if (proposed.term === term && outcome !== undefined)',
    replace: 'if (outcome !== undefined)',
  },
  ...LATER_PLANTS,
];
