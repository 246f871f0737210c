import { spawn } from 'node:child_process';
import { expect } from 'chai';
import { type ClientError, connect, type Instance } from '../../client/client.ts';
import { PROGRAM } from '../1-client/program.ts';
import { failureOf } from '../1-client/servers.ts';
import { eventually, RealCluster } from './real-cluster.ts';

describe('services of the client', function () {
  this.timeout(90_000).slow(20_000);
  const real = RealCluster.forSuite();

  it('are found while they are registered', async () => {
    const [one, two, user] = [real.client(), real.client(), real.client()];
    const services = user.services('web');
    await services.ready;
    const lists: (readonly Instance[])[] = [];
    services.onChange(list => lists.push(list));
    expect(services.list()).to.deep.equal([]);
    await two.register('web', { id: 'b', address: '10.0.0.2:80' });
    const first = await one.register('web', { id: 'a', address: '10.0.0.1:80', meta: { zone: 'x' } });
    expect(first.isThere).to.equal(true);
    await eventually('both are there', () => services.list().length === 2);
    expect(services.list()).to.deep.equal([
      { id: 'a', address: '10.0.0.1:80', meta: { zone: 'x' } },
      { id: 'b', address: '10.0.0.2:80' },
    ]);
    await first.withdraw();
    expect(first.isThere).to.equal(false);
    await two.close();
    await eventually('both are gone', () => services.list().length === 0);
    expect(lists.map(list => list.map(({ id }) => id))).to.deep.equal([['b'], ['a', 'b'], ['b'], []]);
  });

  it('skip what is no instance, and refuse what could not be one', async () => {
    const user = real.client();
    const services = user.services('odd');
    await services.ready;
    await user.set('/services/odd/text', 'not JSON');
    await user.set('/services/odd/none', '{"meta":1}');
    await user.set('/services/odd/deeper/x', '{"address":"a"}');
    await user.register('odd', { id: 'good', address: 'a' });
    await eventually('it is there', () => services.list().length === 1);
    expect(services.list()).to.deep.equal([{ id: 'good', address: 'a' }]);
    for (const [service, id] of [
      ['', 'a'],
      ['odd', ''],
      ['odd', 'a/b'],
    ] as const) {
      const error = await failureOf<ClientError>(user.register(service, { id, address: 'a' }));
      expect(error).to.include({ code: 'BAD_REQUEST' });
    }
  });

  it('go when their process is killed', async () => {
    const services = real.client().services('killed');
    await services.ready;
    const args = [
      'register',
      'killed',
      'me',
      '10.0.0.1:1',
      '--ttl',
      '2',
      '--address',
      real.cluster.addresses.join(','),
    ];
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: 'ignore', timeout: 60_000 });
    await eventually('it is there', () => services.list().length === 1);
    child.kill('SIGKILL');
    await eventually('it is gone', () => services.list().length === 0);
  });

  it('come back by themselves when no node could be reached for longer than their time', async () => {
    const services = real.client().services('back');
    await services.ready;
    const registration = await real.client().register('back', { id: 'me', address: 'a' }, { ttl: 2 });
    await eventually('it is there', () => services.list().length === 1);
    for (const node of real.cluster.nodes) node.pause();
    await eventually('it is lost', () => !registration.isThere);
    for (const node of real.cluster.nodes) node.resume();
    await eventually('it is back', () => registration.isThere);
    const other = connect(real.cluster.addresses);
    await eventually('others find it', async () => (await other.get('/services/back/me')).value !== null);
    await other.close();
    await eventually('it is in the list', () => services.list().length === 1);
  });

  it('are taken over by whoever registers them again, and take their place again when that one goes', async () => {
    const [one, two, three] = [real.client(), real.client(), real.client()];
    const services = two.services('over');
    await services.ready;
    const first = await one.register('over', { id: 'me', address: 'old' });
    const told: (string | undefined)[] = [];
    first.onChange(() => told.push(first.isThere ? 'there' : first.successor?.address));
    const second = await two.register('over', { id: 'me', address: 'new' });
    await eventually('the first is told', () => told.length === 1);
    expect(first.isThere).to.equal(false);
    await eventually('the new one is there', () => services.list()[0]?.address === 'new');
    const third = await three.register('over', { id: 'me', address: 'newest' });
    await eventually('both are told', () => told.length === 2 && second.successor?.address === 'newest');
    await second.withdraw();
    expect((await two.get('/services/over/me')).value).to.equal('{"address":"newest"}');
    await third.withdraw();
    await eventually('the first is there again', () => first.isThere);
    expect(told).to.deep.equal(['new', 'newest', 'there']);
    await eventually('others find it', () => services.list()[0]?.address === 'old');
    await one.remove('/services/over/me');
    await eventually('it is there again', async () => (await one.get(first.key)).value !== null);
    expect(told).to.have.length(3);
    await first.withdraw();
    await eventually('it is gone', () => services.list().length === 0);
  });
});
