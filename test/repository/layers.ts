import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';

/** The folders that hold code. */
const FOLDERS = ['src', 'stages', 'client', 'lab', 'bin', 'test', 'bench'];

/** Rooms of src, and which others each may import from. */
const INSIDE_SRC: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  kv: ['wire'],
  raft: [],
  ports: ['raft'],
  node: ['ports', 'raft', 'kv', 'wire'],
};

/** An import that goes against the direction of the house. */
export interface Violation {
  readonly file: string;
  readonly line: number;
  readonly imported: string;
}

/** Every import between files below `root` that the layers forbid; imports of types count like any other. */
export function violations(root: string): Violation[] {
  const found: Violation[] = [];
  for (const file of FOLDERS.flatMap(folder => sources(root, folder))) {
    for (const { line, specifier } of importsOf(readFileSync(join(root, file), 'utf8'))) {
      const imported = relative(root, resolve(root, dirname(file), specifier))
        .split(sep)
        .join('/');
      if (!mayImport(file, imported)) found.push({ file, line, imported });
    }
  }
  return found;
}

function sources(root: string, folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.ts'))
    .map(path => `${folder}/${path.split(sep).join('/')}`);
}

/** The relative imports of a source: static ones, re-exports, `import('…')` as a call and as a type. */
function* importsOf(text: string): Generator<{ line: number; specifier: string }> {
  const pattern =
    /^[ \t]*(?:import|export)\b[^'"`;]*?['"](\.[^'"]*)['"]|\bimport\(\s*['"`](\.[^'"`]*)['"`]/gm;
  for (const match of text.matchAll(pattern)) {
    const specifier = match[1] ?? match[2] ?? '';
    const at = match.index + match[0].indexOf(specifier);
    yield { line: text.slice(0, at).split('\n').length, specifier };
  }
}

function mayImport(file: string, imported: string): boolean {
  const [from = '', fromRoom = ''] = file.split('/');
  const [to = '', toRoom = ''] = imported.split('/');
  switch (from) {
    case 'src':
      return to === 'src' && (fromRoom === toRoom || (INSIDE_SRC[fromRoom] ?? []).includes(toRoom));
    case 'client':
      return to === 'client' || imported.startsWith('src/wire/');
    case 'stages':
      if (file === 'stages/stages.ts') return imported.startsWith('src/') || /^stages\/\d/.test(imported);
      return ['src', 'client'].includes(to) || mayImportStage(fromRoom, imported);
    case 'lab':
      return (
        ['lab', 'client'].includes(to) || imported.startsWith('src/wire/') || imported === 'stages/stages.ts'
      );
    case 'bin':
      return !['test', 'bench'].includes(to);
    case 'bench':
      return to !== 'test';
    default:
      return from === 'test';
  }
}

/** A stage takes chapters from itself and from earlier stages; an earlier wiring is never built upon. */
function mayImportStage(own: string, imported: string): boolean {
  const [, stage, name] = /^stages\/([^/]+)\/(.+)$/.exec(imported) ?? [];
  if (stage === undefined) return false;
  return stage === own || (Number.parseInt(stage, 10) < Number.parseInt(own, 10) && name !== 'raft.ts');
}
