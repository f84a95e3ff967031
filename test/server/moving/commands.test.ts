import { mkdtemp, rm } from 'node:fs/promises';
import { devNull, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keptNames, toldOf, unpackData } from '../../../scripts/keep-database/kept.ts';
import { progressText } from '../../../src/cli/commands/admin/moved.ts';
import { openDataDirectory } from '../../../src/server/data-directory/data-directory.ts';
import { migrations } from '../../../src/server/store/migrations/index.ts';
import { movedTables } from '../../../src/server/store/moved-tables.ts';
import { runHere } from '../../e2e/support/here.ts';

let place: string;
let data: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'chat-moving-'));
  data = join(place, 'data');
  unpackData(keptNames().find((name) => toldOf(name).format === migrations.length) ?? '', data);
});
afterAll(() => rm(place, { recursive: true, force: true }));

const run = (...args: string[]) =>
  runHere(['admin', 'export-store', ...args], { HOME: place, CHAT_SYSTEM_CONFIG: devNull });

describe('chat admin export-store', () => {
  it('prints a line for each table, its rows and their digest, and the same as one object', async () => {
    const to = join(place, 'export');
    const { code, out, err } = await run(to, '--data', data);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const lines = out.trimEnd().split('\n');
    expect(lines.map((line) => line.split('\t')[0])).toEqual(movedTables.map(({ name }) => name));
    for (const line of lines) expect(line).toMatch(/^[a-z_]+\t\d+\t[0-9a-f]{64}$/);
    const told = JSON.parse((await run(to, '--data', data, '-o', 'json')).out);
    expect(told).toMatchObject({ directory: to, realm: expect.any(String) });
    expect(
      told.tables.map(({ table, rows, sha256 }: Record<string, string>) => `${table}\t${rows}\t${sha256}`),
    ).toEqual(lines);
  });

  it('ends with 2 without a data directory or a place, 3 while a server runs there, 7 where something else is', async () => {
    expect(await run(join(place, 'x'))).toEqual({
      code: 2,
      out: '',
      err: 'chat: admin export-store needs --data DIR, the data directory\n',
    });
    expect(await run('--data', data)).toMatchObject({ code: 2, err: expect.stringContaining('DIRECTORY') });
    expect(await run(place, '--data', data)).toMatchObject({
      code: 7,
      err: expect.stringContaining('is not empty'),
    });
    const held = await openDataDirectory(data);
    expect(await run(join(place, 'x'), '--data', data)).toMatchObject({
      code: 3,
      err: expect.stringContaining('stop that one'),
    });
    await held.close();
  });
});

describe('chat admin import-store', () => {
  const password = 'correct-horse';
  const given = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    runHere(['admin', 'import-store', ...args], { HOME: place, CHAT_SYSTEM_CONFIG: devNull, ...env });

  it.each([
    [['x'], 'admin import-store needs --store URL, or CHAT_STORE'],
    [['x', '--store', 'postgres:///chat?host=/run'], 'admin import-store needs --cluster-secret FILE'],
    [
      ['x', '--store', `postgres://chat:${password}@127.0.0.1/chat`, '--cluster-secret', 'y'],
      '--store is no place for a password: give the URL in CHAT_STORE',
    ],
    [
      ['x', '--store', 'mysql://127.0.0.1/chat', '--cluster-secret', 'y'],
      '--store takes postgres://USER@HOST:PORT/DATABASE: it begins with mysql:// and not with postgres://',
    ],
  ])('ends with 2 and says what is missing, or is not to be there: %j', async (args, message) => {
    expect(await given(args)).toEqual({ code: 2, out: '', err: `chat: ${message}\n` });
  });

  it('takes both from the environment, and looks for the export first', async () => {
    const env = {
      CHAT_STORE: `postgres://chat:${password}@127.0.0.1:1/chat`,
      CHAT_CLUSTER_SECRET: join(place, 'none'),
    };
    const nowhere = join(place, 'nowhere');
    expect(await given([nowhere], env)).toEqual({
      code: 6,
      out: '',
      err: `chat: there is no export in ${nowhere}: give the directory that chat admin export-store has made\n`,
    });
  });
});

describe('how far it is', () => {
  const progress = {
    step: 'export',
    table: 'messages',
    done: 120,
    total: 1_000,
    doneNow: 100,
    left: 880,
  } as const;

  it('is told with the rate until now and the time that is left by it', () => {
    expect(progressText(progress, 2_000)).toBe('messages: 120 of 1000 rows, 50 rows/s, 18 s left');
    expect(progressText({ ...progress, step: 'verify' }, 2_000)).toMatch(
      /^comparing messages: 120 of 1000 rows, /,
    );
  });

  it('is told without them before anything was done', () => {
    expect(progressText({ ...progress, doneNow: 0 }, 2_000)).toBe('messages: 120 of 1000 rows');
    expect(progressText(progress, 0)).toBe('messages: 120 of 1000 rows');
  });
});
