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

/** A message as lines: a header, which says how many lines follow it, and those lines. */
export interface Codec<Message> {
  /** The header and its lines, separated by newlines, without the last newline. */
  encode(message: Message): string;
  /** Reads a header, and the lines that its `lines` announced. Throws when they are no message. */
  decode(header: Readonly<Record<string, unknown>>, lines: readonly string[]): Message;
}
