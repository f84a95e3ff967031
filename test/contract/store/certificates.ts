import { describe, expect, test } from 'vitest';
import { auditChain } from '../../../src/core/audit-chain.ts';
import type { CertificateId } from '../../../src/core/model/certificate.ts';
import { maxCertificatesPerAccount } from '../../../src/core/policy.ts';
import type { NewCertificateOf } from '../../../src/core/ports/store/certificates.ts';
import { uuidV7 } from '../../../src/core/random.ts';
import type { Examined } from '../support/examined.ts';
import { digest, opening, people, person, verifier } from '../support/people.ts';

const chain = auditChain({ realm: 'chat.example', serverSecret: new Uint8Array(32) });

/** The keys that accounts log in with. */
export function examineCertificates(on: Examined): void {
  const entry = (key: number, other: Partial<NewCertificateOf> = {}) => ({
    id: uuidV7() as CertificateId,
    kind: 'issued' as const,
    keyHash: digest(key),
    label: 'laptop',
    // One after the other, as they were made.
    createdAt: key,
    expiresAt: 1_000,
    ...other,
  });

  describe('a certificate', () => {
    test('is found by its key, listed in the order of its making, and there after a restart', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const first = { ...entry(1), userId: alice.id };
      const foreign = { ...entry(2, { kind: 'foreign', expiresAt: null }), userId: alice.id };
      const kept = { lastUsedAt: null, revokedAt: null };
      expect(await on.store.addCertificate(first)).toEqual({
        kind: 'added',
        certificate: { ...first, ...kept },
      });
      await on.store.addCertificate(foreign);
      const store = await on.reopen();
      expect(await store.certificates({ userId: alice.id })).toEqual([
        { ...first, ...kept },
        { ...foreign, ...kept },
      ]);
      expect(await store.certificates({ userId: bob.id })).toEqual([]);
      expect(await store.certificateByKey({ keyHash: digest(2) })).toEqual({
        certificate: { ...foreign, ...kept },
        account: alice,
      });
      expect(await store.certificateByKey({ keyHash: digest(3) })).toBeUndefined();
    });

    test('of ours is renewed over its key; a key is taken for others, for the other kind and when revoked', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const first = { ...entry(1), userId: alice.id };
      await on.store.addCertificate(first);
      const again = { ...entry(1, { expiresAt: 2_000, label: 'other' }), userId: alice.id };
      expect(await on.store.addCertificate(again)).toMatchObject({
        kind: 'renewed',
        certificate: { id: first.id, expiresAt: 2_000, label: 'laptop' },
      });
      expect(await on.store.addCertificate({ ...entry(1), userId: bob.id })).toEqual({ kind: 'taken' });
      const foreign = entry(1, { kind: 'foreign', expiresAt: null });
      expect(await on.store.addCertificate({ ...foreign, userId: alice.id })).toEqual({ kind: 'taken' });
      await on.store.revokeCertificate({ id: first.id, userId: alice.id, now: 20 });
      expect(await on.store.addCertificate(again)).toEqual({ kind: 'taken' });
      expect(await on.store.addCertificate({ ...entry(9), userId: person('nobody').id })).toEqual({
        kind: 'no-account',
      });
      expect((await on.store.certificates({ userId: alice.id })).map((one) => one.expiresAt)).toEqual([
        2_000,
      ]);
    });

    test('is one of so many that an account may have', async () => {
      const [alice] = await people(on.store, 'alice');
      for (let key = 1; key <= maxCertificatesPerAccount; key++) {
        expect((await on.store.addCertificate({ ...entry(key), userId: alice.id })).kind).toBe('added');
      }
      expect(await on.store.addCertificate({ ...entry(999), userId: alice.id })).toEqual({
        kind: 'too-many',
      });
      expect((await on.store.addCertificate({ ...entry(1), userId: alice.id })).kind).toBe('renewed');
    });

    test('comes with a new account, whose key must be nobody’s: then nothing is made', async () => {
      const alice = person('alice', { privacy: 'certificate' });
      const certificate = entry(1);
      expect(await on.store.createAccount({ account: alice, verifier, certificate })).toEqual({
        kind: 'created',
      });
      expect((await on.store.account(alice.username))?.privacy).toBe('certificate');
      const bob = person('bob');
      expect(await on.store.createAccount({ account: bob, verifier, certificate: entry(1) })).toEqual({
        kind: 'taken',
        field: 'certificate',
      });
      expect(await on.store.account(bob.username)).toBeUndefined();
      expect(await on.store.certificates({ userId: bob.id })).toEqual([]);
    });

    test('opens sessions until it is revoked, which ends those alone; nobody else revokes it', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const mine = { ...entry(1), userId: alice.id };
      const other = { ...entry(2), userId: alice.id };
      await on.store.addCertificate(mine);
      await on.store.addCertificate(other);
      const byMine = opening(alice, {}, { certificate: mine.id });
      const byOther = opening(alice, {}, { certificate: other.id });
      const byPassword = opening(alice, {}, { provenKey: verifier.storedKey });
      for (const one of [byMine, byOther, byPassword]) {
        expect((await on.store.openSession(one)).kind).toBe('opened');
      }
      expect((await on.store.certificates({ userId: alice.id })).map((one) => one.lastUsedAt)).toEqual([
        1_000, 1_000,
      ]);
      const listed = await on.store.sessions({ userId: alice.id, now: 1_000, idleMs: 1_000 });
      expect(new Map(listed.map(({ id, certificate }) => [id, certificate]))).toEqual(
        new Map([
          [byMine.session.id, mine.id],
          [byOther.session.id, other.id],
          [byPassword.session.id, undefined],
        ]),
      );
      // Another's certificate is none, whoever names it.
      expect(await on.store.openSession(opening(bob, {}, { certificate: mine.id }))).toEqual({
        kind: 'revoked',
      });
      expect(await on.store.revokeCertificate({ id: mine.id, userId: bob.id, now: 30 })).toBeUndefined();
      expect(await on.store.revokeCertificate({ id: mine.id, userId: alice.id, now: 30 })).toEqual([
        byMine.session.id,
      ]);
      expect(await on.store.revokeCertificate({ id: mine.id, userId: alice.id, now: 40 })).toBeUndefined();
      expect(await on.store.openSession(opening(alice, {}, { certificate: mine.id }))).toEqual({
        kind: 'revoked',
      });
      expect(
        (await on.store.existingSessions([byMine.session.id, byOther.session.id, byPassword.session.id])).map(
          ({ id }) => id,
        ),
      ).toEqual([byOther.session.id, byPassword.session.id]);
      expect((await on.store.certificateByKey({ keyHash: digest(1) }))?.certificate.revokedAt).toBe(30);
    });

    test('is gone on by from a session of the same account alone, which ends with it', async () => {
      const [alice, bob] = await people(on.store, 'alice', 'bob');
      const byPassword = opening(alice, {}, { provenKey: verifier.storedKey });
      const another = opening(alice, {}, { provenKey: verifier.storedKey });
      for (const one of [byPassword, another]) await on.store.openSession(one);
      const mine = { ...entry(1), userId: alice.id };
      await on.store.addCertificate({ ...mine, session: byPassword.session.id });
      const bobs = { ...entry(2), userId: bob.id };
      await on.store.addCertificate({ ...bobs, session: another.session.id });
      expect(await on.store.revokeCertificate({ id: bobs.id, userId: bob.id, now: 30 })).toEqual([]);
      expect(await on.store.revokeCertificate({ id: mine.id, userId: alice.id, now: 30 })).toEqual([
        byPassword.session.id,
      ]);
    });

    test('is revoked when a code sets something else to log in with, and may be that itself', async () => {
      const [alice] = await people(on.store, 'alice', 'bob');
      await on.store.addCertificate({ ...entry(1), userId: alice.id });
      const code = (hash: number) => ({
        hash: digest(hash),
        kind: 'reset-by-admin' as const,
        userId: alice.id,
        email: null,
        expiresAt: 500,
      });
      const reset = { now: 100, verifier, privacy: 'certificate' as const };
      await on.store.putCode(code(50));
      expect(
        await on.store.resetPassword({ ...reset, hash: digest(50), certificate: entry(1) }),
      ).toBeUndefined();
      expect(await on.store.certificateByKey({ keyHash: digest(1) })).toMatchObject({
        certificate: { revokedAt: null },
      });
      expect(
        await on.store.resetPassword({ ...reset, hash: digest(50), certificate: entry(2) }),
      ).toMatchObject({ account: { id: alice.id, privacy: 'certificate' } });
      expect((await on.store.certificates({ userId: alice.id })).map((one) => one.revokedAt)).toEqual([
        100,
        null,
      ]);
    });

    test('of ours is swept when it has expired, and one from elsewhere is not', async () => {
      const [alice] = await people(on.store, 'alice');
      const foreign = entry(2, { kind: 'foreign', expiresAt: null });
      await on.store.addCertificate({ ...entry(1), userId: alice.id });
      await on.store.addCertificate({ ...foreign, userId: alice.id });
      expect(await on.store.sweepCertificates({ now: 1_000 })).toBe(0);
      expect(await on.store.sweepCertificates({ now: 1_001 })).toBe(1);
      expect((await on.store.certificates({ userId: alice.id })).map(({ id }) => id)).toEqual([foreign.id]);
    });

    test('goes with an account that is erased', async () => {
      const [alice] = await people(on.store, 'alice');
      await on.store.addCertificate({ ...entry(1), userId: alice.id });
      await on.store.requestErasure({ userId: alice.id, dueAt: 50 });
      expect((await on.store.eraseNext({ now: 50, skip: 0, chain })).kind).toBe('begun');
      // Before its row has gone, too.
      expect(await on.store.certificateByKey({ keyHash: digest(1) })).toBeUndefined();
      for (
        let step = 0;
        (await on.store.eraseNext({ now: 50, skip: 0, chain })).kind === 'going-on';
        step++
      ) {
        expect(step).toBeLessThan(20);
      }
      expect(await on.store.certificates({ userId: alice.id })).toEqual([]);
    });
  });
}
