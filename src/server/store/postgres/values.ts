import type { CustomTypesConfig } from 'pg';
import type { SqlValue } from '../statement.ts';
import { keptText, readText } from './text.ts';

/** Numbers of PostgreSQL's types (pg_type.oid), as far as columns of ours, and what is counted of them, have these. */
const oid = { bool: 16, bytea: 17, int8: 20, int2: 21, int4: 23, text: 25, numeric: 1_700 } as const;

/** `\x` and two digits for each byte. */
function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.slice(2), 'hex'));
}

const readers: Readonly<Record<number, (text: string) => unknown>> = {
  [oid.bool]: (text) => text === 't',
  [oid.bytea]: bytesOf,
  [oid.int8]: Number,
  [oid.int2]: Number,
  [oid.int4]: Number,
  [oid.numeric]: Number,
  [oid.text]: readText,
};

/** Reads what PostgreSQL answers as the values that the queries know from the embedded database: numbers, texts and plain bytes. */
export const valueTypes: CustomTypesConfig = {
  getTypeParser: ((type: number) => readers[type] ?? String) as unknown as CustomTypesConfig['getTypeParser'],
};

/** A value as it is sent. */
export function sentValue(value: SqlValue): SqlValue {
  return typeof value === 'string' ? keptText(value) : value;
}
