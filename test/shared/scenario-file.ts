import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { MakeCore } from './core-cluster.ts';
import { Scenario } from './scenario.ts';

/** Between the commands and the trace that they must leave. */
const SEPARATOR = '\n---\n';

/** A test of every scenario in a folder. With UPDATE_SCENARIOS=1 the traces are written instead of compared. */
export function scenariosIn(testFile: string, make: MakeCore): void {
  // Scenarios are read from the sources: what is compiled lies in dist, as deep as its source.
  const folder = new URL('scenarios/', testFile.replace('/dist/test/', '/test/'));
  const files = readdirSync(folder).filter(file => file.endsWith('.txt'));
  if (files.length === 0) throw new Error(`there are no scenarios in ${fileURLToPath(folder)}`);
  for (const file of files) {
    const path = new URL(file, folder);
    const [commands = '', trace = ''] = readFileSync(path, 'utf8').split(SEPARATOR);
    const [title = file, ...lines] = commands.split('\n');
    it(title.replace(/^# /, ''), () => {
      const scenario = new Scenario(make);
      const actual = lines.flatMap(line => scenario.run(line)).join('\n');
      if (process.env.UPDATE_SCENARIOS === '1') {
        writeFileSync(path, `${commands.trimEnd()}${SEPARATOR}${actual.trim()}\n`);
      } else {
        expect(actual.trim()).to.equal(trace.trim(), `${file}: UPDATE_SCENARIOS=1 rewrites the trace`);
      }
    });
  }
}
