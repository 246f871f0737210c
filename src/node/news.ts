/** What a client is told unasked. It may go to many, and is written down once for all of them. */
export class News {
  readonly fields: Readonly<Record<string, unknown>>;
  #text: string | undefined;

  /** `text`: the fields as they stand in a line, where somebody has written them down already. */
  constructor(fields: Readonly<Record<string, unknown>>, text?: string) {
    this.fields = fields;
    this.#text = text;
  }

  /** Its fields as they stand in a line, without the braces around. */
  get text(): string {
    this.#text ??= JSON.stringify(this.fields).slice(1, -1);
    return this.#text;
  }
}
