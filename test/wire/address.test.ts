import { expect } from 'chai';
import { formatAddress, isNodeId, parseAddress, parseNodes } from '../../src/wire/address.ts';
import { RaftlineError } from '../../src/wire/errors.ts';

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof RaftlineError && error.code === 'BAD_REQUEST') return error.message;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('addresses', () => {
  it('are host:port or [IPv6]:port, with a scheme dropped', () => {
    for (const [text, host, port] of [
      ['127.0.0.1:7001', '127.0.0.1', 7001],
      ['localhost:0', 'localhost', 0],
      ['db-1.example.com:65535', 'db-1.example.com', 65535],
      ['[::1]:7001', '::1', 7001],
      ['[fe80::1%eth0]:7001', 'fe80::1%eth0', 7001],
      ['[::ffff:127.0.0.1]:1', '::ffff:127.0.0.1', 1],
      ['tcp://127.0.0.1:7001', '127.0.0.1', 7001],
      ['http://[::1]:7001/', '::1', 7001],
      ['TCP://a:1', 'a', 1],
      [' a:1 ', 'a', 1],
    ] as const) {
      expect(parseAddress(text), text).to.deep.equal({ host, port });
    }
  });

  it('come back from their canonical text', () => {
    for (const text of ['127.0.0.1:7001', '[::1]:7001', 'n1.example:1']) {
      expect(formatAddress(parseAddress(text))).to.equal(text);
    }
  });

  it('are refused in words that say what is wrong', () => {
    expect(refusal(() => parseAddress('localhost'))).to.contain('localhost:7001');
    expect(refusal(() => parseAddress('::1'))).to.contain('[::1]:7001');
    expect(refusal(() => parseAddress('a:65536'))).to.contain('65536');
    for (const text of [
      '',
      ':7001',
      'a:',
      'a:b',
      'a:-1',
      'a:1:2',
      'a b:1',
      '[::1]',
      '[::1]7001',
      'ftp://a:1',
      'a:1/x',
    ]) {
      expect(
        refusal(() => parseAddress(text)),
        text,
      ).to.contain('is not an address');
    }
    expect(refusal(() => parseAddress('x'.repeat(10_000))).length).to.be.lessThan(300);
  });
});

describe('node ids', () => {
  it('are 1 to 64 of A-Z a-z 0-9 . _ -, and no name that a file system takes for its own', () => {
    for (const id of ['n1', '1', 'A.b_c-d', '...', '-', 'x'.repeat(64)])
      expect(isNodeId(id), id).to.equal(true);
    for (const id of ['', '.', '..', '../a', 'a/b', 'a b', 'é', 'n\u0000', 'n1\n', 'x'.repeat(65)]) {
      expect(isNodeId(id), id).to.equal(false);
    }
  });
});

describe('lists of nodes', () => {
  it('are id=address items, canonical once read', () => {
    expect(parseNodes('n1=127.0.0.1:7001, n2=tcp://[::1]:7002')).to.deep.equal([
      { id: 'n1', address: '127.0.0.1:7001' },
      { id: 'n2', address: '[::1]:7002' },
    ]);
  });

  it('are refused by the item that is wrong', () => {
    for (const [text, words] of [
      ['n1', 'id=host:port'],
      ['', 'id=host:port'],
      ['n1=a:1,', 'id=host:port'],
      ['a/b=a:1', 'node id'],
      ['=a:1', 'node id'],
      ['..=a:1', 'neither . nor ..'],
      ['n1=a', 'no port'],
      ['n1=a:0', 'port 0'],
      ['n1=a:1,n1=a:2', 'n1 is listed twice'],
      ['n1=a:1,n2=tcp://a:1', 'a:1 is listed twice'],
    ] as const) {
      expect(
        refusal(() => parseNodes(text)),
        text,
      ).to.contain(words);
    }
  });
});
