import { fileURLToPath } from 'node:url';
import Mocha from 'mocha';

/** A test by its compiled file, below dist, and its title. */
export interface UnitTest {
  readonly file: string;
  readonly title: string;
}

/** Runs one test; returns what it failed with, if it did. */
export async function runUnitTest({ file, title }: UnitTest): Promise<string | undefined> {
  const mocha = new Mocha({ fgrep: title, reporter: Mocha.reporters.Base });
  mocha.addFile(fileURLToPath(new URL(`../../${file}`, import.meta.url)));
  await mocha.loadFilesAsync();
  return new Promise((resolve, reject) => {
    let failed: string | undefined;
    const runner = mocha.run(() => {
      if (runner.stats?.tests === 1) resolve(failed);
      else reject(new Error(`${runner.stats?.tests} tests of ${file} are called "${title}", not 1`));
    });
    runner.on('fail', (_test, { message }: Error) => {
      failed = message;
    });
  });
}
