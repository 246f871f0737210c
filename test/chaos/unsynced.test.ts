import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Unsynced } from './unsynced.ts';

describe('a loss of power', () => {
  let folder: string;
  let path: string;
  let unsynced: Unsynced;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'raftline-power-'));
    path = join(folder, 'file');
    unsynced = new Unsynced();
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  function write(text: string, position: number, to = path): void {
    const isNew = !existsSync(to);
    const file = openSync(to, isNew ? 'w' : 'r+');
    if (isNew) unsynced.created(to);
    writeSync(file, text, position);
    fsyncSync(file);
    closeSync(file);
    unsynced.wrote(to, position, text.length);
  }

  /** What is left of the file, over many seeds. */
  function outcomes(prepare: () => void, isAllLost = false): Set<string> {
    const found = new Set<string>();
    for (let seed = 1; seed <= 60; seed += 1) {
      rmSync(path, { force: true });
      unsynced = new Unsynced();
      prepare();
      unsynced.lose(seed, isAllLost);
      found.add(existsSync(path) ? readFileSync(path, 'utf8') : 'gone');
    }
    return found;
  }

  it('takes any part of what was written since the last sync began, and nothing before that', () => {
    const found = outcomes(() => {
      write('abc', 0);
      unsynced.synced(folder, 0);
      const reach = unsynced.reach(path);
      write('de', 3);
      unsynced.synced(path, reach);
    });
    expect([...found].sort()).to.deep.equal(['abc', 'abcd', 'abcde']);
  });

  it('may take all that was not synced', () => {
    const prepare = () => {
      write('abc', 0);
      unsynced.synced(folder, 0);
      unsynced.synced(path, unsynced.reach(path));
      write('de', 3);
    };
    expect([...outcomes(prepare, true)]).to.deep.equal(['abc']);
    expect([...outcomes(() => write('a', 0), true)]).to.deep.equal(['gone']);
  });

  it('takes the name of a new file whose directory was not synced', () => {
    const found = outcomes(() => {
      write('a', 0);
      unsynced.synced(path, unsynced.reach(path));
    });
    expect([...found].sort()).to.deep.equal(['a', 'gone']);
  });

  it('undoes a rename whose directory was not synced', () => {
    const found = outcomes(() => {
      write('old', 0);
      unsynced.synced(path, unsynced.reach(path));
      unsynced.synced(folder, 0);
      const fresh = `${path}.tmp`;
      write('new', 0, fresh);
      unsynced.synced(fresh, unsynced.reach(fresh));
      unsynced.renames(fresh, path);
      renameSync(fresh, path);
    });
    expect([...found].sort()).to.deep.equal(['new', 'old']);
  });
});
