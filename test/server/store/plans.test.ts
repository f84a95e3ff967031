import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Plan } from './support/plans-worker.ts';

let directory: string;
let plans: readonly Plan[];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'chat-plans-'));
  const worker = new Worker(new URL('./support/plans-worker.ts', import.meta.url), {
    workerData: { directory },
  });
  [plans] = await once(worker, 'message');
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Steps that look at each row of a table, or of an index; not the index of words, which is asked for some of them. */
const isScan = (step: string): boolean =>
  step.startsWith('SCAN') && step !== 'SCAN CONSTANT ROW' && !step.includes('VIRTUAL TABLE');
const isSort = (step: string): boolean => step.startsWith('USE TEMP B-TREE');

/** Each statement with such a step, by what of its text no other one has; one that is not expected appears as it is. */
function found(isMeant: (step: string) => boolean, expected: Readonly<Record<string, string>>): string[] {
  const names = Object.keys(expected);
  return plans
    .filter(({ steps }) => steps.some(isMeant))
    .map(({ sql }) => names.find((name) => sql.includes(name)) ?? sql)
    .sort();
}

test('every statement of the store is looked at', () => {
  expect(plans.length).toBeGreaterThan(150);
  expect(plans.filter(({ sql }) => sql.includes('"messages"')).length).toBeGreaterThan(10);
});

test('no statement looks at every row of what grows with use, but for those that count, and those that stop at the first rows', () => {
  const scans = {
    'count("disabled_at")': 'counts accounts for an administrator',
    'count(*) as "all" from "sessions"': 'counts sessions for an administrator',
    'sum("last_seq")': 'counts conversations for an administrator; no message is looked at',
    'select "id" from "users" limit': 'the first one is enough',
    '"search_parts" where "is_anew" = 1': 'the index has those parts alone',
    'from "erasures" cross join': 'accounts that wait to be erased: there are few',
    'from "invites" where "created_by"': 'invites end after days; once at an erasure',
    'from "devices" left join "sessions"': 'once an hour: devices whose sessions have ended',
    '(select "id" from "devices" where "user_id"': 'once at an erasure',
  };
  expect(found(isScan, scans)).toEqual(Object.keys(scans).sort());
});

test('no statement sorts more than what one account has, but for the members of a room by name', () => {
  const sorts = {
    'order by "accepted_at"': 'the terms that one has accepted',
    'from "sessions" inner join "users" on "users"."id" = "sessions"."user_id" inner join "devices" on "devices"."id" = "sessions"."device_id" left join "totp" on "totp"."user_id" = "users"."id" where "sessions"."user_id" = ? order by':
      'the sessions of one account: there is a most',
    'select "id" from "sessions" where "user_id" = ? order by': 'the same',
    'from "certificates" where "user_id" = ? order by': 'the certificates of one account: there is a most',
    'from "erasures" cross join': 'accounts that wait to be erased: there are few',
    'select "username" from "members"': 'the members of one room',
  };
  expect(found(isSort, sorts)).toEqual(Object.keys(sorts).sort());
});

test.each([
  [
    'a page of messages, oldest first',
    'order by "seq" asc',
    'messages',
    '(conversation_id=? AND seq>? AND seq<?)',
  ],
  [
    'a page of messages, newest first',
    'order by "seq" desc',
    'messages',
    '(conversation_id=? AND seq>? AND seq<?)',
  ],
  [
    'a message that was sent before',
    'where "sender_id" = ? and "idempotency_key"',
    'messages',
    'messages_by_key (idempotency_key=? AND sender_id=?)',
  ],
  ['a session by its token', '"token_hash" = ?', 'sessions', '(token_hash=?)'],
  ['the ends of the audit trail', 'min("seq")', 'audit', 'SEARCH audit'],
])('%s is found by its place', (_what, text, table, step) => {
  const steps = plans
    .filter(({ sql }) => sql.includes(text) && sql.includes(`"${table}"`))
    .flatMap((plan) => plan.steps);
  expect(steps.filter((line) => line.includes(` ${table}`) && line.includes(step)).length).toBeGreaterThan(0);
  expect(steps.filter(isScan)).toEqual([]);
});
