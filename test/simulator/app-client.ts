import type { ChangeRequest, Request } from '../../src/wire/ops.ts';
import type { Outcome } from '../../src/wire/reply.ts';
import { AppRequests } from './app-requests.ts';
import { Attempt, type End } from './attempt.ts';
import { MS } from './event-loop.ts';
import { markOf } from './ledger.ts';
import { actionOf, resultOf, type SimClientOptions, TALLY } from './sim-client.ts';

/** Tries of one change under a session, after which its client no longer wants to know. */
const TRIES = 25;

/** A change under way, and the revision and the time from before it was first sent. */
interface Sent {
  readonly request: ChangeRequest;
  readonly floor: number;
  readonly invoked: number;
  readonly isKnown: (outcome: Outcome) => void;
}

/**
 * An application: it opens a session, and sends each change under it until it has an answer, whatever happens to the
 * nodes meanwhile; what it asks for then happens once. It holds leases, and lets go of them.
 */
export class AppClient {
  readonly #options: SimClientOptions;
  readonly #requests: AppRequests;
  readonly #attempts = new Set<Attempt>();
  #session: number | undefined;
  #isOpening = false;
  #seq = 0;
  #underWay = 0;
  #isStopped = false;

  constructor(options: SimClientOptions) {
    this.#options = options;
    this.#requests = new AppRequests(options.name, options.dice, options.keys);
    this.#next();
  }

  /** Sends nothing new, and renews nothing. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Gives up what is under way; nobody will know what becomes of it. */
  finish(): void {
    for (const attempt of [...this.#attempts]) attempt.giveUp();
  }

  #next(): void {
    const { timeline, dice, most, pause } = this.#options;
    timeline.after(dice.around(pause), () => {
      if (this.#isStopped) return;
      if (this.#session === undefined) this.#open();
      else if (this.#underWay < most) this.#act(this.#session);
      this.#next();
    });
  }

  #open(): void {
    if (this.#isOpening) return;
    this.#isOpening = true;
    const ttl = this.#options.dice.pick([2, 5, 20]);
    this.#attempt({ op: 'session', ttl, timeout: 1_000 }, this.#options.answers.floor, ({ outcome }) => {
      this.#isOpening = false;
      if (outcome?.ok === true) this.#session = Number(outcome.session);
    });
  }

  #act(session: number): void {
    const { dice, timeline, answers } = this.#options;
    if (dice.chance(0.15)) {
      this.#attempt(this.#requests.read(), answers.floor, () => {});
      return;
    }
    const request = this.#requests.change(timeline.now);
    const isKnown = (outcome: Outcome) => this.#requests.learn(request, outcome, timeline.now);
    const common = { floor: answers.floor, invoked: timeline.now, isKnown };
    if (dice.chance(0.1) && (request.op === 'grant' || request.op === 'txn')) {
      // Without a session: nobody sends it twice.
      const alone = request.op === 'txn' ? this.#requests.marked(request) : request;
      this.#attempt(alone, answers.floor, ({ outcome }) => outcome && isKnown(outcome));
      return;
    }
    this.#seq += 1;
    this.#underWay += 1;
    this.#send({ ...common, request: { ...request, session, seq: this.#seq } }, TRIES);
  }

  /** Sends a change under a session, again and again until somebody tells what became of it. */
  #send(sent: Sent, tries: number): void {
    const { timeline, dice } = this.#options;
    this.#attempt(sent.request, sent.floor, ({ outcome }) => {
      const isRefused = outcome?.ok === false && outcome.error.definite && outcome.error.retry;
      const isAnswered = outcome !== undefined && !isRefused && !isUnknown(outcome);
      if (isAnswered || tries === 1 || this.#isStopped) {
        this.#underWay -= 1;
        this.#settle(sent, isAnswered ? outcome : undefined);
        return;
      }
      timeline.after(20 * MS + dice.around(100 * MS), () => this.#send(sent, tries - 1));
    });
    // Now and then a change is sent a second time although the first may still be answered.
    if (dice.chance(0.03)) this.#attempt(sent.request, sent.floor, () => {});
  }

  #settle({ request, invoked, isKnown }: Sent, outcome: Outcome | undefined): void {
    const { tally, history, name, timeline, keys } = this.#options;
    if (outcome !== undefined) isKnown(outcome);
    const isExpired = outcome?.ok === false && outcome.error.code === 'SESSION_EXPIRED';
    if (isExpired && request.session === this.#session) this.#session = undefined;
    if (request.op !== 'set' && request.op !== 'remove') return;
    const { key = '' } = request;
    if (!keys.includes(key)) return;
    // An earlier try may have been carried out before the session ended.
    const result = resultOf(request, isExpired ? undefined : outcome);
    tally[TALLY[result.kind]] += 1;
    const times = { invoked, returned: timeline.now };
    history.add({ client: name, key, action: actionOf(request), ...times, result }, markOf(request));
  }

  #attempt(request: Request, floor: number, done: (end: End) => void): void {
    const { dice, nodes } = this.#options;
    const attempt = new Attempt(this.#options, request, dice.pick(nodes), floor, end => {
      this.#attempts.delete(attempt);
      done(end);
    });
    this.#attempts.add(attempt);
    attempt.send();
  }
}

function isUnknown(outcome: Outcome): boolean {
  return !outcome.ok && !outcome.error.definite;
}
