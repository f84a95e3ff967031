/**
 * `npx tsx scripts/keep-database.ts [--program PATH] [--killed]`: has a built chat live through a day, and stores its data directory and the
 * files of its clients under test/fixtures/databases, for the tests of upgrades. Without a program it is the one of this checkout.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { keep } from './keep-database/kept.ts';
import { programAt } from './keep-database/program.ts';
import { live } from './keep-database/story.ts';

const { values } = parseArgs({ options: { program: { type: 'string' }, killed: { type: 'boolean' } } });
const program = programAt(values.program ?? join(import.meta.dirname, '..', 'bin', 'chat'));
const isKilled = values.killed === true;
const directory = mkdtempSync(join(tmpdir(), 'chat-keep-'));
try {
  const told = await live(program, directory, isKilled);
  const name = `format-${told.format}${isKilled ? '-killed' : ''}`;
  const bytes = keep(name, directory, told);
  console.log(`${name}: ${told.version}, ${Math.ceil(bytes / 1024)} KiB`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
