/** Something that must always hold and did not: what a simulation looks for. */
export class Violation extends Error {
  /** Which property, in a few words. */
  readonly property: string;

  constructor(property: string, details: string) {
    super(`${property}: ${details}`);
    this.name = 'Violation';
    this.property = property;
  }
}

export function violated(property: string, details: string): never {
  throw new Violation(property, details);
}

/** A fault that is noticed without any check: not what a check is for. */
export const FAULT = 'no node has a fault';

/** What code threw: an invariant of its own that was broken, or a fault that nobody foresaw. */
export function thrownAt(place: string, error: unknown): Violation {
  const message = messageOf(error);
  if (/^(broken invariant|journal): /.test(message)) {
    return new Violation("the node's own invariants", `${place}: ${message}`);
  }
  const details = error instanceof Error ? (error.stack ?? message) : message;
  return new Violation(FAULT, `${place}: ${details}`);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
