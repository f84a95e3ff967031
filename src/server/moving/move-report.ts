import type { Manifest } from './manifest.ts';

/** How far the work is. */
export interface MoveProgress {
  readonly step: 'export' | 'import' | 'verify';
  readonly table: string;
  /** Rows of this table so far, and in all. */
  readonly done: number;
  readonly total: number;
  /** Rows of all tables so far, those of earlier runs not counted, and how many are left. */
  readonly doneNow: number;
  readonly left: number;
}

/** What was moved. */
export interface MoveReport {
  readonly realm: string;
  readonly tables: readonly { readonly table: string; readonly rows: number; readonly sha256: string }[];
}

/** What a finished manifest says, for people. */
export function reportOf({ realm, tables }: Manifest): MoveReport {
  return {
    realm,
    tables: tables.map(({ name, rows, sha256 }) => ({ table: name, rows, sha256: sha256 ?? '' })),
  };
}
