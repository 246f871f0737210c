/** What a client is told unasked. It may go to many, and is written down once for all of them. */
export class News {
  readonly fields: Readonly<Record<string, unknown>>;
  #text: string | undefined;

  constructor(fields: Readonly<Record<string, unknown>>) {
    this.fields = fields;
  }

  /** Its fields as they stand in a line, without the braces around. */
  get text(): string {
    this.#text ??= JSON.stringify(this.fields).slice(1, -1);
    return this.#text;
  }
}
