import { failure, RaftlineError, refuse } from './errors.ts';
import { type Field, refuseStage } from './fields.ts';
import { checkRemove } from './key-ops.ts';
import { LIMITS } from './limits.ts';
import {
  type ChangeRequest,
  COMMON_FIELDS,
  OPS,
  type Op,
  opsOfStage,
  type Request,
  type RequestId,
  type RequestOf,
} from './ops.ts';
import { isLongerThan, jsonBytesOf, nearest, shortened } from './text.ts';

/** Words that a person may type bare: `ping` means `{"op":"ping"}`. */
const BARE_WORDS: ReadonlySet<string> = new Set(['help', 'ping', 'status', 'quit']);

type Input = Record<string, unknown>;

/** The outcome of reading a line: a request to carry out, or a failure to answer with, and the id to echo in either. */
export type Line =
  | { readonly request: Request; readonly id: RequestId | undefined }
  | { readonly failure: RaftlineError['failure']; readonly id: RequestId | null | undefined };

/** Reads one line of a client that talks to a node of the given stage. Never throws, whatever the line is. */
export function readLine(line: string, stage: number): Line {
  let id: RequestId | null | undefined = null;
  try {
    const input = parse(line);
    id = undefined;
    if (input.id !== undefined) {
      id = null;
      id = requestId(input.id);
    }
    return { request: checkRequest(input, stage), id };
  } catch (error) {
    if (error instanceof RaftlineError) return { failure: error.failure, id };
    throw error;
  }
}

/**
 * True for the first line of an HTTP request: a browser was led here, and nothing it sends may be carried out. The
 * method is any token of RFC 9110, and the path is as long as whoever wrote the page pleased.
 */
export function isHttp(line: string): boolean {
  const space = line.indexOf(' ');
  return (
    space > 0 && /^[\w!#$%&'*+.^`|~-]+$/.test(line.slice(0, space)) && / HTTP\/\d/.test(line.slice(space + 1))
  );
}

/** Whether a line begins as a request does: then it is neither blank, nor a bare word, nor HTTP. */
export function isObject(line: string): boolean {
  return line.startsWith('{');
}

/** True for a line that says nothing. Only what JSON calls white space is: U+2028 and its kin are characters. */
export function isBlank(line: string): boolean {
  return /^[ \t\r]*$/.test(line);
}

/** The line without white space at its ends. An expression for the end would look for it behind each space there is. */
function withoutSpace(line: string): string {
  let start = 0;
  let end = line.length;
  while (start < end && isSpace(line.charCodeAt(start))) start += 1;
  while (start < end && isSpace(line.charCodeAt(end - 1))) end -= 1;
  return line.slice(start, end);
}

/** Space, tab and carriage return. */
function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x09 || unit === 0x0d;
}

function parse(line: string): Input {
  const word = isObject(line) ? '' : withoutSpace(line);
  if (BARE_WORDS.has(word)) return { op: word };
  let input: unknown;
  try {
    input = JSON.parse(line);
  } catch {
    const start = JSON.stringify(shortened(withoutSpace(line), 40));
    throw new RaftlineError(
      failure('BAD_JSON', `${start} is not JSON: send one object a line, or the word help`),
    );
  }
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    refuse('BAD_REQUEST', 'a request is an object, as {"op":"get","key":"/app/db"}; the word help lists all');
  }
  return input as Input;
}

function requestId(id: unknown): RequestId {
  if (typeof id === 'string' && !isLongerThan(id, LIMITS.id) && id.isWellFormed()) return id;
  if (Number.isSafeInteger(id)) return id as number;
  refuse(
    'BAD_REQUEST',
    `"id" must be a string of at most ${LIMITS.id} bytes or an integer within ±(2^53-1)`,
    {
      field: 'id',
    },
  );
}

interface Known {
  readonly op: Request['op'];
  readonly spec: Op;
  /** Every field that it may have. */
  readonly fields: ReadonlyMap<string, Field<unknown>>;
}

const KNOWN: ReadonlyMap<unknown, Known> = new Map(
  Object.entries(OPS).map(([op, spec]: [string, Op]) => {
    const fields = new Map(Object.entries({ ...COMMON_FIELDS, ...spec.optional, ...spec.required }));
    return [op, { op: op as Request['op'], spec, fields }];
  }),
);

/**
 * Checks a parsed request against the operations of a stage, field by field, and returns it; what a field's check
 * makes of its content takes the content's place. Throws the error to answer with.
 */
export function checkRequest(input: Input, stage: number): Request {
  const known = KNOWN.get(input.op);
  if (known === undefined || known.spec.stage > stage) refuseOp(input.op, stage);
  const { op, spec, fields } = known;
  input.op = op; // the same text, but one that compares by its address from here on
  for (const name in input) {
    const content = input[name];
    if (typeof content === 'object' && !isWithin(content, LIMITS.nesting - 1)) {
      refuse('BAD_REQUEST', `"${shortened(name)}" is nested deeper than ${LIMITS.nesting} levels`);
    }
    if (name === 'op' || name === 'id') continue;
    const field = fields.get(name);
    if (field === undefined) unknownField(op, spec, name);
    if (field.stage !== undefined && field.stage > stage) refuseStage(name, field.stage, stage);
    const checked = field.check(content, name, stage);
    if (checked !== content) input[name] = checked;
  }
  for (const name in spec.required) {
    if (input[name] === undefined) {
      refuse('BAD_REQUEST', `${op} needs "${name}", as in ${spec.example}`, { field: name });
    }
  }
  const request = input as unknown as Request;
  CHECKS[request.op]?.(request);
  if (spec.kind === 'change') {
    checkOnce(request as ChangeRequest);
    checkSize(request as ChangeRequest);
  }
  return request;
}

/**
 * A change has to fit a line once more, as the log writes it: there `9e15` takes sixteen digits, and what gRPC carries
 * as it is takes escapes. One that did not would be sent to followers that cannot take it, for ever.
 */
function checkSize(request: ChangeRequest): void {
  if (atMost(request) <= LIMITS.line || jsonBytesOf(request) <= LIMITS.line) return;
  const words = `written out, ${request.op} takes more than ${LIMITS.line} bytes; make several of it`;
  refuse('TOO_LARGE', words, { limit: LIMITS.line });
}

/** Bytes that something takes as JSON at most; a rough bound, but quickly found. */
function atMost(content: unknown): number {
  if (typeof content === 'string') return content.length * 6 + 2;
  if (typeof content !== 'object' || content === null) return 24;
  let sum = 2;
  for (const name in content) sum += name.length + 4 + atMost(content[name as keyof typeof content]);
  return sum;
}

function refuseOp(op: unknown, stage: number): never {
  if (op === undefined)
    refuse('BAD_REQUEST', 'the request has no "op"; the word help lists all', { field: 'op' });
  if (typeof op !== 'string') refuse('BAD_REQUEST', '"op" must be a string', { field: 'op' });
  const from = KNOWN.get(op)?.spec.stage;
  if (from === undefined) {
    const near = nearest(op, Object.keys(OPS));
    const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
    refuse('UNKNOWN_OP', `there is no op ${JSON.stringify(shortened(op))}${hint}; the word help lists all`);
  }
  const has = opsOfStage(stage).join(', ');
  refuse('WRONG_STAGE', `${op} comes with stage ${from}; this node runs stage ${stage}, which has ${has}`, {
    stage: from,
  });
}

function unknownField(op: string, spec: Op, name: string): never {
  const names = ['op', 'id', ...[spec.required, spec.optional, COMMON_FIELDS].flatMap(Object.keys)];
  const near = nearest(name, names);
  const hint = near === undefined ? `its fields are ${names.join(', ')}` : `did you mean "${near}"?`;
  refuse('BAD_REQUEST', `${op} has no field ${JSON.stringify(shortened(name))}: ${hint}`, {
    field: shortened(name),
  });
}

/** What the fields of an operation have to do with each other. */
const CHECKS: { readonly [Name in Request['op']]?: (request: Request) => void } = {
  remove: request => checkRemove(request as RequestOf<'remove'>, 'remove'),
  txn: request => checkTransaction(request as RequestOf<'txn'>),
  watch: request => checkWatch(request as RequestOf<'watch'>),
};

function checkTransaction(request: RequestOf<'txn'>): void {
  if (request.if?.some(condition => condition.key === undefined)) {
    refuse('BAD_REQUEST', 'in a txn, each condition of "if" needs a "key" of its own', { field: 'if' });
  }
}

function checkWatch({ key, prefix, cluster, from, prev }: RequestOf<'watch'>): void {
  const subjects = [key, prefix, cluster].filter(subject => subject !== undefined);
  if (subjects.length !== 1) {
    refuse('BAD_REQUEST', 'watch needs one of "key", "prefix" and "cluster": true', { field: 'key' });
  }
  if (cluster !== undefined && (from ?? prev) !== undefined) {
    const words = 'a watch of the cluster begins with what is so now: it has neither "from" nor "prev"';
    refuse('BAD_REQUEST', words, { field: from === undefined ? 'prev' : 'from' });
  }
}

function checkOnce({ op, session, seq }: ChangeRequest): void {
  if ((session === undefined) === (seq === undefined)) return;
  const missing = session === undefined ? 'session' : 'seq';
  refuse('BAD_REQUEST', `${op} has one of "session" and "seq" alone: give both, or neither`, {
    field: missing,
  });
}

/** Whether a parsed JSON value has at most `levels` levels of arrays and objects. */
function isWithin(input: unknown, levels: number): boolean {
  if (typeof input !== 'object' || input === null) return true;
  if (levels === 0) return false;
  return Object.values(input).every(item => isWithin(item, levels - 1));
}
