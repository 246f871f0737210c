import { expect } from 'chai';
import { type Acquaintance, misdialled } from '../../src/node/handshake.ts';

const KNOWN: Acquaintance = {
  address: '127.0.0.1:7004',
  member: 9,
  latest: 9,
  settled: 9,
  isRemoved: false,
  contacts: {},
  instance: 'the second',
  instances: { n4: 'the second' },
  remember: () => {},
};
const HERE = { id: 'n4', cluster: 'c', acquaintance: KNOWN };
const CALL = { protocol: 1, cluster: 'c', from: 'n5', to: 'n4' };

describe('a node that was added, when it is called', () => {
  it('is no longer the one of its name that a member knew before', () => {
    expect(misdialled({ ...CALL, member: 3, expects: 'the first' }, HERE)?.message).to.contain(
      'lost its data',
    );
    expect(misdialled({ ...CALL, member: 3 }, HERE)).to.include({ retry: true });
    expect(misdialled({ ...CALL, member: 3, expects: 'the second' }, HERE)).to.equal(undefined);
  });

  it('listens to a node that is no member yet and knows nobody: it may be the learner that it leads', () => {
    expect(misdialled({ ...CALL, member: 0 }, HERE)).to.equal(undefined);
  });
});
