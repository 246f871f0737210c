import type { Configuration } from '../../src/raft/configuration.ts';
import type { Message } from '../../src/raft/messages.ts';
import { CoreCluster, type MakeCore } from './core-cluster.ts';
import { type Durable, diskWith } from './model-disk.ts';

/** What a scenario tells of a node. */
interface Facts {
  readonly role: string;
  readonly term: number;
  readonly leader: string | null;
  readonly log: string;
  readonly commit: number;
  /** Who votes, and who only learns, where that has changed since the beginning. */
  readonly members: string;
}

type Arguments = readonly string[];

/**
 * A story about a cluster: one command a line, lines that begin with `#` for the reader. The trace repeats the
 * commands and tells below each what it changed.
 *
 *   cluster n1 n2 n3 [+ n4 n5]        starts them, those after the + without a cluster; `disk` lines before it say with what
 *   disk n1 log 1x3,4x2 term 4 vote n1 commit 2 size 64
 *   tick NODE|all [COUNT]             time passes, for one or for all
 *   time-out NODE                     time passes for one, until it wants to be elected
 *   elect NODE [with NODES…]          all of these lose patience with their leader, and the first is elected
 *   compact NODE [KEEP]               a snapshot stands for all it has applied; so many entries stay
 *   propose NODE COMMANDS… · read NODE NUMBER · transfer NODE TO
 *   learn NODE NODES… · vote NODE VOTERS… · force NODE VOTERS… (voters of old who are not named leave the cluster)
 *   deliver [FROM TO [COUNT]]         all that travels and what follows from it, or what is on one link
 *   round                             all that travels now, and nothing that this brings about
 *   drop FROM TO · duplicate FROM TO · reverse FROM TO
 *   keep FROM TO · replay FROM TO     what is on a link now, to be delivered again later
 *   cut A B · cut-one-way FROM TO · isolate NODE · partition A,B C,D,E · heal
 *   hold-disk NODE · sync NODE [BATCHES] · release-disk NODE · crash NODE · restart NODE
 *   state · travelling · count TYPES… (messages of these types since the last count)
 */
export class Scenario {
  readonly #make: MakeCore;
  readonly #disks: Record<string, Durable> = {};
  #made: CoreCluster | undefined;
  readonly #kept = new Map<string, readonly Message[]>();
  readonly #counts = new Map<string, number>();
  #facts = new Map<string, Facts>();
  #applied = new Map<string, number>();
  #granted = new Map<string, number>();

  constructor(make: MakeCore) {
    this.#make = make;
  }

  /** Carries out one line; returns what belongs in the trace. */
  run(line: string): string[] {
    const [command = '', ...words] = line.trim().split(/\s+/);
    if (command === '' || command.startsWith('#')) return [];
    const told = this.#do(command, words);
    if (command === 'disk') return [];
    return [`> ${line.trim()}`, ...[...told, ...this.#news()].map(text => `  ${text}`)];
  }

  get #cluster(): CoreCluster {
    if (this.#made === undefined) throw new Error('a scenario begins with its cluster');
    return this.#made;
  }

  #do(command: string, words: Arguments): readonly string[] {
    const [a = '', b = '', c] = words;
    const count = c === undefined ? undefined : Number(c);
    switch (command) {
      case 'disk':
        this.#disks[a] = diskOf(words.slice(1));
        return [];
      case 'cluster':
        return this.#start(words);
      case 'tick':
        if (a === 'all') this.#cluster.tickAll(Number(b || 1));
        else this.#cluster.tick(a, Number(b || 1));
        return [];
      case 'time-out':
        this.#cluster.timeOut(a);
        return [];
      case 'elect':
        this.#elect(a, words.slice(2));
        return [];
      case 'propose':
        this.#cluster.propose(a, ...words.slice(1));
        return [];
      case 'compact':
        this.#cluster.compact(a, Number(b || 0));
        return [];
      case 'read':
        this.#cluster.read(a, Number(b));
        return [];
      case 'transfer':
        this.#cluster.transfer(a, b);
        return [];
      case 'learn':
      case 'vote':
      case 'force':
        return this.#change(command, a, words.slice(1));
      case 'deliver':
        return this.#deliver(a, b, count);
      case 'round':
        this.#cluster.deliverRound();
        return [];
      default:
        return this.#doToLinks(command, words);
    }
  }

  #doToLinks(command: string, words: Arguments): readonly string[] {
    const [a = '', b = ''] = words;
    const cluster = this.#cluster;
    switch (command) {
      case 'drop':
        return cluster.drop(a, b).map(message => `lost: ${this.#told(a, b, message)}`);
      case 'duplicate':
        cluster.duplicate(a, b);
        return [];
      case 'reverse':
        cluster.reverse(a, b);
        return [];
      case 'keep':
        this.#kept.set(`${a} ${b}`, cluster.queue(a, b));
        return cluster.queue(a, b).map(message => `kept: ${this.#told(a, b, message)}`);
      case 'replay': {
        const kept = this.#kept.get(`${a} ${b}`) ?? [];
        for (const message of kept) cluster.step(a, b, message);
        return kept.map(message => `again: ${this.#told(a, b, message)}`);
      }
      case 'cut':
        cluster.cut(a, b);
        return [];
      case 'cut-one-way':
        cluster.cutOneWay(a, b);
        return [];
      case 'isolate':
        cluster.isolate(a);
        return [];
      case 'partition':
        cluster.partition(...words.map(group => group.split(',')));
        return [];
      case 'heal':
        cluster.heal();
        return [];
      default:
        return this.#doToDisks(command, words);
    }
  }

  #doToDisks(command: string, words: Arguments): readonly string[] {
    const [a = '', b] = words;
    const cluster = this.#cluster;
    switch (command) {
      case 'hold-disk':
        cluster.holdDisk(a);
        return [];
      case 'sync':
        cluster.sync(a, b === undefined ? undefined : Number(b));
        return [];
      case 'release-disk':
        cluster.releaseDisk(a);
        return [];
      case 'crash':
        cluster.crash(a);
        for (const facts of [this.#facts, this.#applied, this.#granted]) facts.delete(a);
        return [];
      case 'restart':
        cluster.restart(a);
        return [];
      case 'state':
        return cluster.ids.map(id =>
          cluster.isRunning(id) ? stateOf(id, this.#factsOf(id)) : `${id} is down`,
        );
      case 'travelling':
        return cluster.ids.flatMap(from =>
          cluster.ids.flatMap(to => cluster.queue(from, to).map(message => this.#told(from, to, message))),
        );
      case 'count': {
        const told = words.map(type => `${this.#counts.get(type) ?? 0} ${type}`).join(', ');
        this.#counts.clear();
        return [told];
      }
      default:
        throw new Error(`a scenario knows no ${command}`);
    }
  }

  #start(words: readonly string[]): readonly string[] {
    const nodes = words.filter(word => word !== '+');
    const members = words.slice(0, words.includes('+') ? words.indexOf('+') : undefined);
    this.#made = new CoreCluster({ nodes, members, make: this.#make, disks: this.#disks });
    this.#made.onSent = (_from, { message }) =>
      this.#counts.set(message.type, (this.#counts.get(message.type) ?? 0) + 1);
    return [];
  }

  #change(kind: string, leader: string, named: Arguments): readonly string[] {
    const core = this.#cluster.core(leader);
    if (core.obstacle !== undefined) return [`refused: ${core.obstacle}`];
    const { nodes, voters } = core.state.configuration;
    const members = Object.keys(nodes);
    if (kind === 'learn') this.#cluster.change(leader, voters, [...members, ...named]);
    else {
      const left = members.filter(id => named.includes(id) || !voters.includes(id));
      this.#cluster.change(leader, named, left, kind === 'force');
    }
    const { laggards } = core;
    return laggards === undefined || laggards.length === 0 ? [] : [`waits for ${laggards.join(', ')}`];
  }

  #elect(candidate: string, voters: readonly string[]): void {
    const cluster = this.#cluster;
    for (const voter of voters) cluster.tick(voter, cluster.timing.electionTicks);
    cluster.timeOut(candidate);
    cluster.deliverAll();
  }

  #deliver(from: string, to: string, count: number | undefined): readonly string[] {
    if (from === '') {
      this.#cluster.deliverAll();
      return [];
    }
    const messages = this.#cluster.queue(from, to).slice(0, count);
    this.#cluster.deliver(from, to, count ?? messages.length);
    return messages.map(message => this.#told(from, to, message));
  }

  #told(from: string, to: string, { type, ...fields }: Message): string {
    const told = Object.entries(fields).map(([name, value]) =>
      name === 'entries' ? `entries ${logOf(value) || 'none'}` : `${name} ${value}`,
    );
    return `${from} -> ${to}: ${type} ${told.join(', ')}`;
  }

  /** What has changed since the last line. */
  #news(): string[] {
    if (this.#made === undefined) return [];
    return this.#made.ids.flatMap(id => (this.#cluster.isRunning(id) ? this.#newsOf(id) : []));
  }

  #newsOf(id: string): string[] {
    const before = this.#facts.get(id);
    const now = this.#factsOf(id);
    this.#facts.set(id, now);
    if (before === undefined) return [[stateOf(id, now), ...this.#newlyDone(id)].join(', ')];
    const news: string[] = [];
    const { role, term, leader } = now;
    if (role !== before.role || term !== before.term) news.push(`${role} in term ${term}`);
    if (leader !== before.leader && leader !== id)
      news.push(leader === null ? 'knows no leader' : `follows ${leader}`);
    if (now.log !== before.log) news.push(`log ${now.log || 'empty'}`);
    if (now.members !== before.members) news.push(now.members);
    if (now.commit !== before.commit) news.push(`commit ${now.commit}`);
    news.push(...this.#newlyDone(id));
    return news.length > 0 ? [`${id}: ${news.join(', ')}`] : [];
  }

  #newlyDone(id: string): string[] {
    const applied = this.#cluster.applied(id);
    const granted = this.#cluster.granted(id);
    const commands = applied.slice(this.#applied.get(id) ?? 0).filter(command => typeof command === 'string');
    const news = commands.length > 0 ? [`applies ${shortened(commands)}`] : [];
    for (const { number, index } of granted.slice(this.#granted.get(id) ?? 0))
      news.push(`may answer read ${number} at ${index}`);
    this.#applied.set(id, applied.length);
    this.#granted.set(id, granted.length);
    return news;
  }

  #factsOf(id: string): Facts {
    const { role, term, leader, commit, log, configuration } = this.#cluster.core(id).state;
    const entries = logOf(this.#cluster.entries(id));
    const { index } = log.base;
    return {
      role,
      term,
      leader,
      log: index === 0 ? entries : `${entries || 'empty'} behind ${index}`,
      commit,
      members: membersTold(configuration),
    };
  }
}

function stateOf(id: string, { role, term, log, commit }: Facts): string {
  return `${id}: ${role} in term ${term}, log ${log || 'empty'}, commit ${commit}`;
}

function membersTold({ nodes, voters, old }: Configuration): string {
  const learners = Object.keys(nodes).filter(id => !voters.includes(id) && old?.includes(id) !== true);
  const told = old === undefined ? voters.join(',') : `${old.join(',')} and ${voters.join(',')}`;
  return learners.length === 0 ? `voters ${told}` : `voters ${told}, learners ${learners.join(',')}`;
}

/** A log as the terms of its entries: `1x3,4x2` for three of term 1 and two of term 4. */
function logOf(entries: readonly { readonly term: number }[]): string {
  const runs: { term: number; count: number }[] = [];
  for (const { term } of entries) {
    const last = runs.at(-1);
    if (last?.term === term) last.count += 1;
    else runs.push({ term, count: 1 });
  }
  return runs.map(({ term, count }) => (count === 1 ? `${term}` : `${term}x${count}`)).join(',');
}

function shortened(commands: readonly unknown[]): string {
  if (commands.length <= 4) return commands.join(' ');
  return `${commands[0]} … ${commands.at(-1)}, ${commands.length} in all`;
}

/** A disk from the words of its line. */
function diskOf(words: Arguments): Durable {
  const value = (name: string) => {
    const at = words.indexOf(name);
    return at === -1 ? undefined : words[at + 1];
  };
  const terms = (value('log') ?? '').split(',').flatMap(run => {
    const [term = '', count = '1'] = run.split('x');
    return term === '' ? [] : Array.from({ length: Number(count) }, () => Number(term));
  });
  return diskWith(terms, {
    term: Number(value('term') ?? terms.at(-1) ?? 0),
    vote: value('vote') ?? null,
    commit: Number(value('commit') ?? 0),
    size: Number(value('size') ?? 64),
  });
}
