import { expect } from 'chai';
import { Peers, type PeersOptions } from '../../src/node/peers.ts';
import type { Parcel } from '../../src/ports/transport.ts';

/** The peers of n1, which n2 calls; `heard` is what reaches the node, `isClosed` whether the connection was closed. */
function calledBy(options: Partial<PeersOptions>) {
  const heard: unknown[] = [];
  let isClosed = false;
  const link = { isUp: true, send: () => true, reset: () => {}, close: () => {} };
  const codec = {
    encode: (message: unknown): Parcel => ({ header: { message }, lines: [] }) as unknown as Parcel,
    decode: (header: unknown): unknown => (header as { message: unknown }).message,
  };
  const listener = {
    onMessage: (_from: string, message: unknown) => heard.push(message),
    onLinkUp: () => {},
    onLinkDown: () => {},
  };
  const peers = new Peers({ id: 'n1', cluster: 'c', dial: () => link, ...options }, codec, listener);
  peers.open({ id: 'n2', address: '127.0.0.1:7002' });
  const connection = {
    destroy: () => {
      isClosed = true;
    },
  };
  const hello = { op: 'peer', protocol: 1, cluster: 'c', from: 'n2', to: 'n1', instance: 'two' };
  const { outcome, session } = peers.accept(hello, connection);
  return {
    outcome,
    heard,
    isClosed: () => isClosed,
    say: (message: unknown) => session?.receive(codec.encode(message)),
  };
}

describe('stage 8: what a connection brings', () => {
  it('counts until the node is added again with another data directory; then the connection is closed', () => {
    let mark: string | undefined;
    const node = calledBy({ markOf: () => mark });
    node.say('first');
    mark = 'two';
    node.say('second');
    mark = undefined;
    node.say('third');
    expect(node.isClosed()).to.equal(false);
    mark = 'anew';
    node.say('late');
    expect(node.heard).to.deep.equal(['first', 'second', 'third']);
    expect(node.isClosed()).to.equal(true);
  });

  it('counts when it is of a node that was added again by an entry that is yet to come', () => {
    let mark = 'earlier';
    const node = calledBy({ markOf: () => mark });
    node.say('first');
    mark = 'two';
    node.say('second');
    expect(node.heard).to.deep.equal(['first', 'second']);
  });
});
