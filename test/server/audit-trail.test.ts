import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type FetchTrail, type KnownPlace, verifyTrail } from '../../src/cli/audit/verify-trail.ts';
import type { AuditEntry } from '../../src/core/audit.ts';
import { auditChain, auditHash } from '../../src/core/audit-chain.ts';
import { audit } from '../../src/core/operations/admin/audit.ts';
import type { Store } from '../../src/core/ports/store.ts';
import { inspectDatabase } from '../../src/server/store/sqlite/inspect.ts';
import { people } from '../contract/support/people.ts';
import { refusal } from '../core/support/chat.ts';
import { storeWithoutThread } from '../core/support/store-without-thread.ts';

const settings = { realm: 'chat.example', serverSecret: new Uint8Array(32).fill(7) };
const chain = auditChain(settings);
const rows = 9;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'chat-audit-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await open(async (store) => {
    const entries = Array.from({ length: rows }, (_, index) => entry(index + 1));
    await store.appendAudit({ entries, chain });
  });
});

function entry(at: number): AuditEntry {
  return {
    at,
    operation: 'login.finish',
    user: `user${at}`,
    door: 'line',
    address: '192.0.2.1',
    outcome: 'ok',
    details: { session: `s${at}` },
  };
}

/** Opens the store, does something with it, and closes it in order. */
async function open<T>(work: (store: Store) => Promise<T>): Promise<T> {
  const store = await storeWithoutThread({
    directory,
    onFatal: (error) => {
      throw error;
    },
  });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Does to the file what somebody does who can write it. */
function tamper(...sql: string[]): void {
  const database = new DatabaseSync(join(directory, 'chat.db'));
  for (const one of sql) database.exec(one);
  database.close();
}

function verify(known?: KnownPlace, work: (store: Store) => Promise<unknown> = async () => {}) {
  return open(async (store) => {
    await work(store);
    const services = { store, chain, trail: { written: async () => {} } };
    const fetch: FetchTrail = (after) =>
      audit.handle(audit.input.parse({ after, limit: 4 }), { services } as never);
    return await verifyTrail(fetch, known, () => {});
  });
}

const broken = (text: string) => ({ code: 'untrusted', message: `the audit trail is not intact: ${text}` });

describe('an audit trail', () => {
  it('that nobody touched is intact, and goes on being that', async () => {
    expect(await verify()).toMatchObject({ rows, start: 0, head: { seq: rows } });
    expect(
      await verify(undefined, (store) => store.appendAudit({ entries: [entry(10)], chain })),
    ).toMatchObject({ rows: rows + 1 });
  });

  it.each([
    ['time', 'at = 3000'],
    ['operation', "operation = 'ping'"],
    ['account', `"user" = 'mallory'`],
    ['account, taken away', '"user" = NULL'],
    ['door', "door = 'http'"],
    ['factor', "factor = 'totp'"],
    ['address', "address = '198.51.100.1'"],
    ['outcome', "outcome = 'unauthenticated'"],
    ['details', `details = '{"session":"s4"}'`],
    ['hash', "hash = x'00'"],
    ['time, made a text', "at = 'noon'"],
    ['account, made bytes', `"user" = x'757365723500'`],
  ])('tells a row whose %s was edited', async (_what, change) => {
    tamper(`UPDATE audit SET ${change} WHERE seq = 5`);
    expect(await refusal(verify())).toEqual(broken('row 5 is not as it was written'));
  });

  it('tells an edited row whose own hash was made to fit, by the next one', async () => {
    const found = await open((store) => store.auditPage({ limit: 9 }));
    const [before, row] = found.rows.slice(3, 5);
    if (!before || !row) throw new Error('there are nine rows');
    const hash = auditHash(before.hash, { ...row, user: 'mallory' }).toHex();
    tamper(`UPDATE audit SET "user" = 'mallory', hash = x'${hash}' WHERE seq = 5`);
    expect(await refusal(verify())).toEqual(broken('row 6 is not as it was written'));
  });

  it('tells a trail that was written anew from some row on', async () => {
    const found = await open((store) => store.auditPage({ limit: 9 }));
    let hash: Uint8Array = found.rows[3]?.hash ?? chain.first;
    for (const row of found.rows.slice(4)) {
      const changed = { ...row, user: 'mallory' };
      hash = auditHash(hash, changed);
      tamper(`UPDATE audit SET "user" = 'mallory', hash = x'${hash.toHex()}' WHERE seq = ${row.seq}`);
    }
    expect(await refusal(verify())).toEqual(broken('row 9 is not as it was written'));
    tamper(`UPDATE audit_ends SET head_hash = x'${hash.toHex()}'`);
    expect(await refusal(verify())).toEqual(broken('the seal over its ends is not that of this server'));
  });

  it.each([
    ['in the middle', 'seq = 5', 'row 5 is missing'],
    ['at its beginning', 'seq <= 3', 'row 1 is missing'],
    ['at its end', 'seq >= 8', 'it ends before row 8, which was written'],
    ['everywhere', 'TRUE', 'it ends before row 1, which was written'],
  ])('tells rows that were taken away %s', async (_where, which, text) => {
    tamper(`DELETE FROM audit WHERE ${which}`);
    expect(await refusal(verify())).toEqual(broken(text));
  });

  it('tells a cut whose gap was closed', async () => {
    tamper('DELETE FROM audit WHERE seq = 5', 'UPDATE audit SET seq = seq - 1 WHERE seq > 5');
    expect(await refusal(verify())).toEqual(broken('row 5 is not as it was written'));
  });

  it('tells rows that were exchanged', async () => {
    tamper(
      'UPDATE audit SET seq = 99 WHERE seq = 4',
      'UPDATE audit SET seq = 4 WHERE seq = 6',
      'UPDATE audit SET seq = 6 WHERE seq = 99',
    );
    expect(await refusal(verify())).toEqual(broken('row 4 is not as it was written'));
  });

  it.each([
    ['end', 'head_seq = 7', 'DELETE FROM audit WHERE seq > 7'],
    ['beginning', 'start_seq = 2', 'DELETE FROM audit WHERE seq <= 2'],
    ['whole', 'head_seq = 0, seal = NULL', 'DELETE FROM audit'],
  ])('tells a cut for which the seal’s %s was moved', async (_what, change, cut) => {
    tamper(cut, `UPDATE audit_ends SET ${change}`);
    expect(await refusal(verify())).toEqual(broken('the seal over its ends is not that of this server'));
  });

  it('tells what was written by somebody else, also when the server goes on after it', async () => {
    tamper(
      `INSERT INTO audit SELECT 10, at, operation, "user", door, factor, address, outcome, details, hash FROM audit WHERE seq = 9`,
    );
    expect(await refusal(verify())).toEqual(broken('row 10 stands where none was written'));
    // The server's own row 10 has no place there: nothing is stored over what stands there.
    expect(
      await open((store) => store.appendAudit({ entries: [entry(10)], chain })).catch(() => 'refused'),
    ).toBe('refused');
  });

  it('goes through the places that were told before, as far as they are kept', async () => {
    const { rows: found } = await open((store) => store.auditPage({ limit: 9 }));
    const at = (seq: number) => ({ seq, hash: found[seq - 1]?.hash.toHex() ?? '' });
    expect(await verify(at(4))).toMatchObject({ rows });
    expect(await verify(at(9))).toMatchObject({ rows });
    expect(await refusal(verify({ ...at(4), hash: at(5).hash }))).toEqual(
      broken('row 4 is not as it was written'),
    );
    expect(await refusal(verify({ seq: 10, hash: at(9).hash }))).toEqual(
      broken('it ends with row 9, before row 10'),
    );
    await open((store) => store.cutAudit({ before: 5, now: 900, chain }));
    expect(await verify(at(4))).toMatchObject({ start: 4, rows: 6 });
    expect(await refusal(verify({ ...at(4), hash: at(5).hash }))).toEqual(
      broken('row 4 is not as it was written'),
    );
    expect(await refusal(verify(at(3)))).toMatchObject({ code: 'invalid' });
  });
});

describe('an audit trail in a file that no server has open', () => {
  beforeEach(() =>
    open(async (store) => {
      await store.settings(settings);
      await people(store, 'alice');
    }),
  );
  const fault = async () => (await inspectDatabase({ directory })).trailFault;

  it('is whole as it was written, and shortened by its server', async () => {
    expect(await fault()).toBeUndefined();
    await open((store) => store.cutAudit({ before: 5, now: 900, chain }));
    expect(await fault()).toBeUndefined();
  });

  it.each([
    [
      'a row edited',
      "UPDATE audit SET address = '198.51.100.1' WHERE seq = 5",
      'row 5 is not as it was written',
    ],
    ['a hash that is none', "UPDATE audit SET hash = 'text' WHERE seq = 5", 'row 5 is not as it was written'],
    ['a row taken away', 'DELETE FROM audit WHERE seq = 5', 'row 5 is missing'],
    ['rows cut off at the beginning', 'DELETE FROM audit WHERE seq < 4', 'row 1 is missing'],
    ['rows cut off at the end', 'DELETE FROM audit WHERE seq > 7', 'it ends before row 8, which was written'],
    ['all rows taken away', 'DELETE FROM audit', 'it ends before row 1, which was written'],
    [
      'two rows exchanged',
      'UPDATE audit SET seq = 99 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 6; UPDATE audit SET seq = 6 WHERE seq = 99',
      'row 4 is not as it was written',
    ],
    [
      'a row added behind the end',
      'INSERT INTO audit SELECT 10, at, operation, "user", door, factor, address, outcome, details, hash FROM audit WHERE seq = 9',
      'row 10 is not as it was written',
    ],
    [
      'a row added before the beginning',
      'INSERT INTO audit SELECT -7, at, operation, "user", door, factor, address, outcome, details, hash FROM audit WHERE seq = 9',
      'row -7 stands where none was written',
    ],
    [
      'an end moved',
      'DELETE FROM audit WHERE seq > 7; UPDATE audit_ends SET head_seq = 7',
      'the seal over its ends is not that of this server',
    ],
    [
      'an end that is none',
      "UPDATE audit_ends SET head_hash = 'text'",
      'the seal over its ends is not that of this server',
    ],
    [
      'everything taken away',
      'DELETE FROM audit; UPDATE audit_ends SET head_seq = 0, head_hash = NULL, seal = NULL',
      'the seal over its ends is not that of this server',
    ],
  ])('tells %s', async (_what, sql, text) => {
    tamper(sql);
    expect(await fault()).toBe(text);
  });

  it('is read in pieces, over the edges of which nothing is overlooked', async () => {
    const entries = Array.from({ length: 2_500 - rows }, (_, index) => entry(index + 10));
    await open((store) => store.appendAudit({ entries, chain }));
    expect(await fault()).toBeUndefined();
    for (const seq of [2_500, 2_001, 2_000, 1_001, 1_000]) {
      tamper(`UPDATE audit SET outcome = 'edited' WHERE seq = ${seq}`);
      expect(await fault()).toBe(`row ${seq} is not as it was written`);
    }
    tamper('DELETE FROM audit WHERE seq <= 1000');
    expect(await fault()).toBe('row 1 is missing');
  });
});
