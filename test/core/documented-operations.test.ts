import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { operations } from '../../src/core/operations/index.ts';

const lines = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8').split('\n');
const rows = lines.filter((line) => line.startsWith('| `'));
/** Where the fields stand that every login answers. */
const theSession = lines.find((line) => line.startsWith('**The session**'));

/** The row of an operation; one row may be about several. */
function rowOf(name: string): string | undefined {
  return rows.find((row) => row.split('|')[1]?.includes(`\`${name}\``));
}

/** The names of the fields that a schema has on its outside. */
function fieldsOf(schema: z.ZodType): string[] {
  if ('shape' in schema) return Object.keys(schema.shape as object);
  if ('options' in schema && Array.isArray(schema.options)) return schema.options.flatMap(fieldsOf);
  if ('in' in schema) return fieldsOf(schema.in as z.ZodType);
  if ('innerType' in schema) return fieldsOf(schema.innerType as z.ZodType);
  return [];
}

describe('docs/protocol.md', () => {
  it.each(operations)('tells what $name takes and answers', ({ name, input, output }) => {
    const row = rowOf(name);
    expect(row, 'a row').toBeDefined();
    const told = /the session\b|what that login/.test(row ?? '') ? `${row} ${theSession}` : row;
    const words = new Set(told?.match(/\w+/g));
    const missing = [...fieldsOf(input), ...fieldsOf(output)].filter((field) => !words.has(field));
    expect(missing).toEqual([]);
  });

  it('tells of no operation that is not there', () => {
    const names = rows
      .flatMap((row) => row.split('|')[1]?.match(/`[a-z]+(?:\.[a-z-]+)?`/g) ?? [])
      .map((name) => name.slice(1, -1));
    const known = new Set<string>(operations.map(({ name }) => name));
    const others = names.filter((name) => name.includes('.') && !known.has(name));
    expect(others).toEqual([]);
  });
});
