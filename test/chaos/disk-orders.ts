/** What the disk of one node does from now on. The runner sends it as a line, whole each time. */
export interface DiskOrders {
  /** Milliseconds that every sync takes longer. */
  readonly delay?: number;
  /** Every sync fails, as on a disk that has had an error. */
  readonly failing?: boolean;
  /** A sync that does not hold up the process is reported at once, and never made. */
  readonly lying?: boolean;
  /** No file grows: a first write is cut short, and what follows fails. */
  readonly full?: boolean;
  /** The power goes now: the process ends, and of what was not synced only a part is left, chosen by this number. */
  readonly powerCut?: number;
  /** With it goes everything that was not synced, as when the system had not begun to write any of it. */
  readonly isAllLost?: boolean;
}

/** What a process is told from the beginning, in the query of the module that is loaded into it. */
export interface DiskSetup {
  /** The folder whose files are looked at. */
  readonly data: string;
  /** The socket at which the runner gives orders, and whom to say it is. */
  readonly control?: string;
  readonly node?: string;
  readonly orders?: DiskOrders;
  /** The process kills itself at this operation on its files, counted from 1. */
  readonly crashAt?: number;
  readonly moment?: 'before' | 'after';
  /** The crash is one of the power, which this number decides the outcome of. */
  readonly powerCut?: number;
  /** The file that each operation is written to, or each event of an audit. */
  readonly points?: string;
  readonly trace?: string;
}

/** The flag of Node that loads the disk of this setup into a process. */
export function diskFlag(setup: DiskSetup): string {
  const module = new URL('./disk-preload.js', import.meta.url);
  module.searchParams.set('setup', JSON.stringify(setup));
  return `--import=${module.href}`;
}

/** Something that an audit of durability looks at, in the order in which it happened. */
export type TraceEvent = { readonly at: number } & (
  | { readonly kind: 'write'; readonly path: string; readonly text: string }
  | { readonly kind: 'sync'; readonly path: string; readonly call: number }
  | { readonly kind: 'synced'; readonly call: number }
  | { readonly kind: 'send'; readonly text: string }
);
