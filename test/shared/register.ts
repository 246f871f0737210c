/** What a change rests on: the revision of the key's last modification (0: absent), or its absence. */
export type Condition = { readonly mod: number } | { readonly absent: true };

export type Action =
  | { readonly op: 'get' }
  | { readonly op: 'set'; readonly value: string; readonly if?: Condition }
  | { readonly op: 'remove'; readonly if?: Condition };

/** What the client was told; what it was not told of its key is left out, and then not checked. */
export type Result =
  | Success
  /** The condition did not hold; `mod` is what the key was at. */
  | { readonly kind: 'conflict'; readonly mod?: number }
  /** It had no effect and never will. */
  | { readonly kind: 'failed' }
  /** It may take effect at any time after it was invoked, or never. */
  | { readonly kind: 'unknown' };

export interface Success {
  readonly kind: 'ok';
  /** Of a get: null when the key is absent. */
  readonly value?: string | null;
  /** Of a get or a set; 0 when the key is absent. */
  readonly mod?: number;
  /** Of a remove: how many keys it removed. */
  readonly removed?: number;
}

/** One operation of one client, as that client saw it. Times are of one clock, and only their order counts. */
export interface Operation {
  readonly key: string;
  readonly client: string;
  readonly action: Action;
  readonly invoked: number;
  /** When the client knew the result; of no matter when that is unknown. */
  readonly returned: number;
  readonly result: Result;
}

/** A key between two operations. */
export interface Register {
  /** Null while the key is absent. */
  readonly value: string | null;
  /** Undefined when nobody was told: then it is some number above `floor`. */
  readonly mod: number | undefined;
  /** Revisions only grow: every later one is above this. */
  readonly floor: number;
  /** The last change is one of unknown outcome, and nothing has shown it since. */
  readonly isUnseen: boolean;
}

export const EMPTY: Register = { value: null, mod: 0, floor: 0, isUnseen: false };

/** The register after an operation, or undefined when it cannot have happened here with this result. */
export function step(register: Register, { action, result }: Operation): Register | undefined {
  switch (result.kind) {
    case 'failed':
      return register;
    case 'conflict':
      return conflicted(register, action, result.mod);
    case 'unknown':
      return done(register, action, undefined);
    case 'ok':
      return done(register, action, result);
  }
}

/** The register with its `mod` known to be this one, if it can be. */
function pinned(register: Register, mod: number | undefined): Register | undefined {
  if (mod === undefined || register.mod === mod) return register;
  if (register.mod !== undefined || mod <= register.floor) return undefined;
  return { ...register, mod, floor: mod };
}

function seen(register: Register | undefined): Register | undefined {
  return register?.isUnseen ? { ...register, isUnseen: false } : register;
}

function holding(register: Register, condition: Condition): Register | undefined {
  if ('mod' in condition) return pinned(register, condition.mod);
  return register.value === null ? register : undefined;
}

function conflicted(register: Register, action: Action, mod: number | undefined): Register | undefined {
  const condition = action.op === 'get' ? undefined : action.if;
  if (condition === undefined) throw new Error(`a ${action.op} without a condition cannot conflict`);
  const known = seen(pinned(register, mod));
  if (known === undefined) return undefined;
  if ('absent' in condition) return known.value === null ? undefined : known;
  return known.mod === condition.mod ? undefined : known;
}

/** `told` is what the client learned: nothing at all when the outcome is unknown. */
function done(register: Register, action: Action, told: Success | undefined): Register | undefined {
  if (action.op === 'get') {
    if (told === undefined) return register;
    const isSame = told.value === undefined || told.value === register.value;
    return isSame ? seen(pinned(register, told.mod)) : undefined;
  }
  const isBlind = action.if === undefined && told?.removed === undefined;
  // Had what nobody saw not happened yet, everything would be the same and it could still happen: no need to look.
  if (isBlind && register.isUnseen) return undefined;
  const before = action.if === undefined ? register : holding(register, action.if);
  if (before === undefined) return undefined;
  const isUnseen = told === undefined;
  if (action.op === 'set') {
    if (told?.mod !== undefined && told.mod <= before.floor) return undefined;
    return { value: action.value, mod: told?.mod, floor: told?.mod ?? before.floor, isUnseen };
  }
  if (told?.removed !== undefined && told.removed !== (before.value === null ? 0 : 1)) return undefined;
  return { value: null, mod: 0, floor: before.floor, isUnseen };
}
