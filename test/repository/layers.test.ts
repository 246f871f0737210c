import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { violations } from './layers.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

describe('the layers', () => {
  it('import in one direction', () => {
    const words = violations(root).map(
      ({ file, line, imported }) => `${file}:${line} must not import ${imported}`,
    );
    expect(words.join('\n')).to.equal('');
  });

  describe('of a house with faults', () => {
    let house: string;

    beforeEach(() => {
      house = mkdtempSync(join(tmpdir(), 'raftline-layers-'));
    });

    afterEach(() => rmSync(house, { recursive: true }));

    function write(path: string, text: string): void {
      mkdirSync(dirname(join(house, path)), { recursive: true });
      writeFileSync(join(house, path), text);
    }

    const faults: [file: string, text: string, imported: string][] = [
      ['src/raft/log.ts', "import { a } from '../wire/a.ts';", 'src/wire/a.ts'],
      ['src/raft/deep/log.ts', "import '../../node/host.ts';", 'src/node/host.ts'],
      ['src/kv/store.ts', "import type { Peers } from '../node/peers.ts';", 'src/node/peers.ts'],
      ['src/wire/ops.ts', "export { a } from '../kv/a.ts';", 'src/kv/a.ts'],
      ['src/node/host.ts', "const a: import('../../client/a.ts').A = 1;", 'client/a.ts'],
      ['src/attic/a.ts', "import '../wire/a.ts';", 'src/wire/a.ts'],
      ['client/client.ts', "import {\n  a,\n  b,\n} from '../src/kv/a.ts';", 'src/kv/a.ts'],
      ['client/cli/get.ts', "await import('../../lab/a.ts');", 'lab/a.ts'],
      ['lab/lab.ts', "import { a } from '../stages/2-two/server.ts';", 'stages/2-two/server.ts'],
      ['lab/lab.ts', "import { a } from '../src/node/a.ts';", 'src/node/a.ts'],
      ['stages/2-two/a.ts', "import { a } from '../4-four/a.ts';", 'stages/4-four/a.ts'],
      ['stages/4-four/raft.ts', "import { a } from '../2-two/raft.ts';", 'stages/2-two/raft.ts'],
      ['stages/4-four/raft.ts', "import { a } from '../stages.ts';", 'stages/stages.ts'],
      ['bin/serve.ts', "import { a } from '../test/a.ts';", 'test/a.ts'],
    ];
    for (const [file, text, imported] of faults) {
      it(`find that ${file} imports ${imported}`, () => {
        write(file, `import split2 from 'split2';\n\n${text}\n`);
        const line = 2 + text.split('\n').length;
        expect(violations(house)).to.deep.equal([{ file, line, imported }]);
      });
    }

    it('allow what is downhill', () => {
      write('src/node/host.ts', "import '../ports/a.ts';\nimport '../raft/a.ts';\nimport '../wire/a.ts';");
      write('stages/4-four/server.ts', "import '../../src/node/a.ts';\nimport '../2-two/replication.ts';");
      write('stages/stages.ts', "import './4-four/server.ts';\nimport type { A } from '../src/node/a.ts';");
      write('lab/lab.ts', "import '../stages/stages.ts';\nimport '../client/cli/verb.ts';");
      write('bin/raftline.ts', "import '../lab/lab.ts';\nimport '../src/node/a.ts';");
      write('test/a/b.test.ts', "import '../../src/raft/a.ts';\nimport '../../stages/4-four/raft.ts';");
      expect(violations(house)).to.deep.equal([]);
    });
  });
});
