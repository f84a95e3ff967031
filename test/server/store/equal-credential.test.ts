import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auditChain } from '../../../src/core/audit-chain.ts';
import type { Username } from '../../../src/core/model/username.ts';
import { queries } from '../../../src/server/store/queries/index.ts';
import { Memory } from '../../../src/server/store/queries/memory.ts';
import type { Command, Query } from '../../../src/server/store/statement.ts';
import { type OpenedDatabase, opened } from './support/database.ts';

const chain = auditChain({ realm: 'chat.example', serverSecret: new Uint8Array(32) });

let directory: string;
let on: OpenedDatabase;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'chat-equal-'));
  on = await opened(directory);
});
afterEach(async () => {
  on.database.close();
  await rm(directory, { recursive: true, force: true });
});

interface Step {
  readonly statement: Command['statement'];
  readonly rows: unknown;
}

/** Runs a query and notes each statement with the shape of its rows. */
function* noted<Result>(query: Query<Result>, steps: Step[]): Query<Result> {
  let next = query.next();
  while (!next.done) {
    const rows = yield next.value;
    steps.push({ statement: next.value.statement, rows: shapeOf(rows) });
    next = query.next(rows);
  }
  return next.value;
}

/** What a value costs to make and to copy: its fields, their types, and how long its bytes are. */
function shapeOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return value.length;
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, shapeOf(field)]));
}

function stepsFor(name: string): Step[] {
  const steps: Step[] = [];
  on.database.run(noted(queries.credential(name as Username, new Memory()), steps));
  return steps;
}

describe('1.8: the credential of a name that nobody has', () => {
  it.each(['aaron', 'alice2', 'bob', 'zoe'])('runs the statements of one that somebody has (%s)', (name) => {
    for (const user of ['alice', 'carol', 'mike']) on.join(user);
    const known = stepsFor('carol');
    expect(known.map(({ rows }) => (rows as unknown[]).length)).toEqual([1, 1]);
    const unknown = stepsFor(name);
    expect(unknown.map(({ statement }) => statement)).toEqual(known.map(({ statement }) => statement));
    expect(unknown.map(({ rows }) => (rows as unknown[]).length)).toEqual([1, 1]);
    expect(unknown[1]?.rows).toEqual(known[1]?.rows);
  });

  it.each(['aaron', 'bob', 'zoe'])('crosses to the caller as one that somebody has (%s)', (name) => {
    for (const user of ['alice', 'carol', 'mike']) on.join(user);
    const [known] = on.batch(['credential', 'carol']);
    const [unknown] = on.batch(['credential', name]);
    expect(shapeOf(unknown)).toEqual(shapeOf(known));
    expect(shapeOf(known)).toMatchObject({ value: { isAsked: 'boolean', verifier: { storedKey: 32 } } });
    expect(known).toMatchObject({ value: { isAsked: true, account: { username: 'carol' } } });
    expect(unknown).toMatchObject({ value: { isAsked: false } });
  });

  it.each(['barb', 'bart'])('runs them beside, and for, a name whose account was erased (%s)', (name) => {
    for (const user of ['alice', 'carol']) on.join(user);
    on.batch(['requestErasure', { userId: on.join('bart').id, dueAt: 1 }]);
    for (let piece = 0; piece < 9; piece++) on.batch(['eraseNext', { now: 2, skip: 0, chain }]);
    expect(on.batch(['account', 'bart'], ['isNameTaken', 'bart'])).toEqual([
      { value: undefined },
      { value: true },
    ]);
    expect(stepsFor(name).map(({ statement }) => statement)).toEqual(
      stepsFor('carol').map(({ statement }) => statement),
    );
    expect(stepsFor(name)[1]?.rows).toEqual(stepsFor('carol')[1]?.rows);
    expect(on.batch(['credential', name])).toMatchObject([{ value: { isAsked: false } }]);
  });

  it('is nothing while there is no account at all', () => {
    expect(on.batch(['credential', 'alice'])).toEqual([{ value: undefined }]);
  });
});
