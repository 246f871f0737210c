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
