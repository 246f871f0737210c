import { expect } from 'chai';
import { decodeRecord } from '../../../src/node/record.ts';
import { expectRefusal, type Subject, setAll } from './subject.ts';

/** What the line protocol promises of `snapshot` and `backup`. */
export function snapshots({ connect, room }: Subject): void {
  describe('snapshots and backups', () => {
    it('compact the log of the node asked now, save for a tail, and say what stands for it', async () => {
      const client = await connect();
      const at = room();
      await setAll(client, [`${at}a`, `${at}b`]);
      await client.ask({ op: 'get', key: `${at}a` }); // so that the node asked has it, too
      const { applied } = await client.ask('status');
      const { ok, index, term } = await client.ask({ op: 'snapshot', timeout: 20_000 });
      expect(ok).to.equal(true);
      expect(index).to.be.at.least(applied);
      expect(term).to.be.at.least(1);
      const { snapshot, log } = await client.ask('status');
      expect(snapshot.index).to.be.at.least(index);
      expect(snapshot.bytes).to.be.greaterThan(0);
      expect(index - log.first).to.be.at.most(1_000);
      expect(log.last).to.be.at.least(index);
      expect((await client.ask({ op: 'get', key: `${at}b` })).value).to.equal('v');
    });

    it('stream the whole store in chunks, and answer with its hash and the index that it is of', async () => {
      const client = await connect();
      const at = room();
      await setAll(client, [`${at}ä\u{1f600}\n`]);
      client.send({ op: 'backup', id: 'copy', timeout: 20_000 });
      let text = '';
      let line = JSON.parse(await client.line());
      for (; line.chunk !== undefined; line = JSON.parse(await client.line())) {
        expect(line).to.have.all.keys('chunk');
        text += line.chunk;
      }
      expect(line).to.include({ id: 'copy', ok: true });
      expect(line.hash).to.be.a('string');
      expect(line.applied).to.be.a('number');
      const records = text.trimEnd().split('\n').map(decodeRecord);
      expect(records).not.to.include(undefined);
      const keys = records.filter(Array.isArray).map(([key]) => key as string);
      expect(keys).to.include(`${at}ä\u{1f600}\n`);
      const { hash, applied } = await client.ask('hash');
      if (applied === line.applied) expect(hash).to.equal(line.hash);
    });

    it('refuse what they have no use for', async () => {
      const client = await connect();
      expectRefusal(await client.ask({ op: 'snapshot', index: 1 }), 'BAD_REQUEST');
      expectRefusal(await client.ask({ op: 'backup', prefix: '/a' }), 'BAD_REQUEST');
    });
  });
}
