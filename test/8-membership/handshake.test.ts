import { expect } from 'chai';
import { type Acquaintance, changed, greeting, misdialled, unknown } from '../../src/node/handshake.ts';

/** n1 of cluster c, whose committed configuration came with entry 20; n3 was added with a directory that is known. */
function here(facts: Partial<Acquaintance> = {}) {
  const acquaintance: Acquaintance = {
    address: '127.0.0.1:7001',
    member: 20,
    latest: 20,
    settled: 20,
    isRemoved: false,
    contacts: { n2: '127.0.0.1:7002', n3: '127.0.0.1:7003' },
    instance: 'own',
    instances: { n3: 'three' },
    origin: 'first',
    remember: () => {},
    ...facts,
  };
  return { id: 'n1', cluster: 'c', acquaintance };
}

const hello = { op: 'peer', protocol: 1, cluster: 'c', from: 'n2', to: 'n1' } as const;

describe('stage 8: the first words between nodes', () => {
  for (const [words, change] of [
    ['another protocol', { protocol: 2 }],
    ['another cluster', { cluster: 'd' }],
    ['another node', { to: 'n9' }],
    ['a data directory that this node does not have', { expects: 'lost' }],
  ] as const) {
    it(`are refused for good when they are meant for ${words}`, () => {
      expect(misdialled({ ...hello, ...change }, here())).to.include({
        code: 'CLUSTER_MISMATCH',
        retry: false,
      });
    });
  }

  it('are taken when they expect the directory that is there, or do not know it', () => {
    expect(misdialled({ ...hello, expects: 'own' }, here())).to.equal(undefined);
    expect(misdialled(hello, here())).to.equal(undefined);
  });

  it('are refused for good from a node of another cluster that began with the same list', () => {
    expect(misdialled({ ...hello, origin: 'first' }, here())).to.equal(undefined);
    const refusal = misdialled({ ...hello, origin: 'second' }, here());
    expect(refusal).to.include({ code: 'CLUSTER_MISMATCH', retry: false });
    expect(refusal?.message).to.contain('n2').and.to.contain('empty data directory');
    // Who has yet to hear where its cluster comes from may be of this one.
    expect(misdialled(hello, here())).to.equal(undefined);
    expect(misdialled({ ...hello, origin: 'second' }, here({ origin: undefined }))).to.equal(undefined);
  });

  it('are refused for now from one that knew an earlier node of this name', () => {
    const added = here({ instances: { n1: 'own' } });
    expect(misdialled({ ...hello, member: 3 }, added)).to.include({ retry: true });
    expect(misdialled({ ...hello, member: 3, expects: 'earlier' }, added)?.message).to.contain(
      'lost its data',
    );
  });

  it('are taken from a node that is no member yet and knows nobody: it may be the learner that this one leads', () => {
    expect(misdialled({ ...hello, member: 0 }, here({ instances: { n1: 'own' } }))).to.equal(undefined);
  });

  it('of a removed node are answered with that; of one that may know more they are taken', () => {
    expect(unknown({ from: 'n4', member: 20 }, here())).to.include({ removed: true, retry: false });
    expect(unknown({ from: 'n4', member: 5 }, here())).to.include({ removed: true });
    expect(unknown({ from: 'n4', member: 21 }, here())).to.equal(undefined);
  });

  it('of a node that is not known yet are refused for now', () => {
    expect(unknown({ from: 'n4', member: 0 }, here()))
      .to.include({ retry: true })
      .and.not.have.property('removed');
    const behind = here({ settled: 10 });
    expect(unknown({ from: 'n4', member: 15 }, behind)).to.include({ retry: true });
  });

  it('of anyone are taken by a node that has no configuration yet, or is a member no more', () => {
    expect(unknown({ from: 'n4', member: 3 }, here({ latest: 0, settled: 0 }))).to.equal(undefined);
    expect(unknown({ from: 'n4', member: 3 }, here({ isRemoved: true }))).to.equal(undefined);
  });

  it('of a stranger are refused for good where members do not change', () => {
    expect(unknown({ from: 'n4', member: 99 }, { id: 'n1', cluster: 'c' })).to.include({ retry: false });
  });

  it('tell of a data directory, which is remembered, and may not be another the next time', () => {
    const met: Record<string, string> = {};
    const remember = (id: string, instance: string) => {
      met[id] = instance;
    };
    expect(changed({ from: 'n2', instance: 'two', member: 1 }, here({ remember }))).to.equal(undefined);
    expect(met).to.deep.equal({ n2: 'two' });
    const known = here({ instances: met });
    expect(changed({ from: 'n2', instance: 'two', member: 1 }, known)).to.equal(undefined);
    const lost = changed({ from: 'n2', instance: 'fresh', member: 1 }, known);
    expect(lost).to.include({ code: 'CLUSTER_MISMATCH', retry: false });
    expect(lost?.message).to.contain('lost its data').and.to.contain('remove-node');
  });

  it('are believed of a node that was added again by an entry that is not here yet', () => {
    expect(changed({ from: 'n3', instance: 'anew', member: 21 }, here())).to.equal(undefined);
  });

  for (const name of ['constructor', '__proto__']) {
    it(`are taken from and by a node that is called ${name}, a name like any other`, () => {
      const named = { ...here(), id: name };
      expect(misdialled({ ...hello, to: name, member: 3 }, named)).to.equal(undefined);
      const met = new Map<string, string>();
      const remember = (id: string, instance: string) => met.set(id, instance);
      expect(changed({ from: name, instance: 'two', member: 1 }, here({ remember }))).to.equal(undefined);
      expect(met.get(name)).to.equal('two');
      const { acquaintance } = here();
      const fixed = { ...hello, from: 'n1', to: name };
      const first = greeting(
        fixed,
        () => acquaintance,
        () => undefined,
      );
      expect(first.expects).to.equal(undefined);
    });
  }

  it('name what is known of the other’s directory: what it has lately said, or what was known before', () => {
    const fixed = { ...hello, from: 'n1', to: 'n3' };
    const { acquaintance } = here();
    expect(
      greeting(
        fixed,
        () => acquaintance,
        () => undefined,
      ),
    ).to.include({ expects: 'three', instance: 'own' });
    expect(
      greeting(
        fixed,
        () => acquaintance,
        () => 'anew',
      ).expects,
    ).to.equal('anew');
  });
});
