/**
 * Carries messages between the nodes of a cluster. A message may be lost, and an old one may come late; one that
 * arrives was sent by the node that it names, to this node, in this cluster.
 */
export interface Transport<Message> {
  /** Sends, or drops: false when it is known at once that the message will not arrive. */
  send(to: string, message: Message): boolean;
  /** True while messages to this node have a way to go. */
  isUp(to: string): boolean;
}

export interface TransportListener<Message> {
  onMessage(from: string, message: Message): void;
  /** There is a way to a node again, or from it. */
  onLinkUp(to: string): void;
  /** The way to a node broke: what was sent to it, and not answered, may or may not have arrived. */
  onLinkDown(to: string): void;
}

/** A message on its way, in whatever form a transport gives it: a header of plain fields, and lines that it carries verbatim. */
export interface Parcel {
  readonly header: Readonly<Record<string, unknown>>;
  readonly lines: readonly string[];
  /** The lines with newlines between them, where somebody has them so. */
  readonly text?: string;
}

/** What a transport carries, from messages and back. */
export interface Codec<Message> {
  encode(message: Message): Parcel;
  /** Throws when the parts are no message. */
  decode(header: Readonly<Record<string, unknown>>, lines: readonly string[]): Message;
}
