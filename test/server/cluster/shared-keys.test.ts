import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { SettingsStore, SharedName } from '../../../src/core/ports/store/settings.ts';
import { type Certificates, openCertificates } from '../../../src/server/certificates/certificates.ts';
import { keepCertificates } from '../../../src/server/certificates/keep-certificates.ts';
import { type Seal, sealUnder } from '../../../src/server/cluster/seal.ts';
import {
  checkSharedKeys,
  takeSharedKeys,
  withSharedAuthority,
} from '../../../src/server/cluster/shared-keys.ts';
import { createLog } from '../../../src/server/log.ts';
import { until } from '../support/until.ts';

const secret = new Uint8Array(32).map((_, index) => index);
const otherSecret = secret.map((byte) => byte ^ 1);
const now = Date.parse('2026-11-22T07:00:00Z');
const dayMs = 86_400_000;

/** What nodes share, in memory; answers come a turn later, as from a database. */
function sharedStore(): Pick<SettingsStore, 'shared' | 'share'> & { kept: Map<SharedName, Uint8Array> } {
  const kept = new Map<SharedName, Uint8Array>();
  return {
    kept,
    shared: async (name) => kept.get(name),
    async share({ name, value, instead }) {
      await Promise.resolve();
      const before = kept.get(name);
      if (before && !(instead && Buffer.from(before).equals(instead))) return before;
      kept.set(name, value);
      return value;
    },
  };
}

describe('what is sealed for the nodes of a server', () => {
  const sealed = sealUnder(secret, 'realm').seal('keys', 'text ✓');

  it('is opened by who has the secret, for the same realm and name', () => {
    expect(sealUnder(secret, 'realm').open('keys', sealed)).toBe('text ✓');
    expect(Buffer.from(sealed).toString('latin1')).not.toContain('text');
    expect(sealUnder(secret, 'realm').seal('keys', 'text ✓')).not.toEqual(sealed);
  });

  it('is opened by nobody else, for nothing else, and not when any byte of it is another', () => {
    expect(sealUnder(otherSecret, 'realm').open('keys', sealed)).toBeUndefined();
    expect(sealUnder(secret, 'other').open('keys', sealed)).toBeUndefined();
    expect(sealUnder(secret, 'realm').open('authority', sealed)).toBeUndefined();
    for (const index of sealed.keys()) {
      const changed = sealed.map((byte, at) => (at === index ? byte ^ 0x80 : byte));
      expect([index, sealUnder(secret, 'realm').open('keys', changed)]).toEqual([index, undefined]);
    }
    for (const length of [0, 1, 28, sealed.length - 1])
      expect(sealUnder(secret, 'realm').open('keys', sealed.subarray(0, length))).toBeUndefined();
  });
});

describe('the keys of a server with several nodes', () => {
  let root: string;
  let store: ReturnType<typeof sharedStore>;
  const seal: Seal = sealUnder(secret, 'realm');
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'chat-shared-keys-'));
    store = sharedStore();
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  function node(name: string, under = seal) {
    const directory = join(root, name);
    mkdirSync(directory, { recursive: true });
    const options = { directory, store, seal: under };
    const open = (at = now) =>
      withSharedAuthority(options, () =>
        openCertificates({
          dataDirectory: directory,
          listenHost: `${name}.example`,
          files: undefined,
          now: at,
        }),
      );
    return {
      options,
      path: (file: string) => join(directory, file),
      read: (file: string) => readFileSync(join(directory, file), 'utf8'),
      open,
      async start(at = now) {
        const taken = await takeSharedKeys(options);
        return { taken, certificates: await open(at) };
      },
    };
  }

  it('are made by the first node, and the others take them: one fingerprint, one authority, names of their own', async () => {
    const a = node('a');
    const b = node('b');
    expect(await checkSharedKeys(a.options)).toBe(false);
    const first = await a.start();
    expect(first.taken).toEqual({
      notes: [`made ${a.path('serverkeys/server.key')}`, `made ${a.path('ttpkeys/ca.key')}`],
      isAuthorityNew: true,
    });
    expect(await checkSharedKeys(b.options)).toBe(true);
    const second = await b.start();
    expect(second.taken).toEqual({
      notes: ['serverkeys/server.key', 'ttpkeys/ca.key'].map(
        (file) => `took ${b.path(file)} from the other nodes`,
      ),
      isAuthorityNew: false,
    });
    expect(second.certificates.isAuthorityNew).toBe(false);
    expect(second.certificates.fingerprint).toBe(first.certificates.fingerprint);
    expect(second.certificates.authority.certificate).toBe(first.certificates.authority.certificate);
    expect(statSync(b.path('ttpkeys/ca.key')).mode & 0o777).toBe(0o600);
    expect(statSync(b.path('ttpkeys')).mode & 0o777).toBe(0o700);
    // Each has a certificate for its own names, which the authority of both has signed.
    for (const [at, name] of [
      [a, 'a.example'],
      [b, 'b.example'],
    ] as const) {
      const leaf = new X509Certificate(at.read('serverkeys/server.crt'));
      expect(leaf.checkHost(name)).toBe(name);
      expect(leaf.verify(new X509Certificate(b.read('ttpkeys/ca.crt')).publicKey)).toBe(true);
    }
    // A restart changes nothing.
    expect((await a.start()).taken).toEqual({ notes: [], isAuthorityNew: false });
    // What the store has is nothing to whom it is lent.
    const kept = Buffer.concat([...store.kept.values()]).toString('latin1');
    expect(kept).not.toMatch(/PRIVATE KEY|server|authority/);
  });

  it('are those of one, when two start at once', async () => {
    const nodes = [node('a'), node('b'), node('c')];
    const started = await Promise.all(nodes.map((one) => one.start()));
    expect(new Set(started.map(({ certificates }) => certificates.fingerprint)).size).toBe(1);
    expect(new Set(started.map(({ certificates }) => certificates.authority.certificate)).size).toBe(1);
    expect(started.filter(({ taken }) => taken.isAuthorityNew).length).toBe(1);
    expect(new Set(nodes.map((one) => one.read('ttpkeys/ca.key'))).size).toBe(1);
  });

  it('are those of a server that was alone before, whose clients see no change', async () => {
    const a = node('a');
    const alone = await openCertificates({
      dataDirectory: a.options.directory,
      listenHost: 'a.example',
      files: undefined,
      now,
    });
    const first = await a.start();
    expect(first.taken).toEqual({ notes: [], isAuthorityNew: false });
    expect(first.certificates.fingerprint).toBe(alone.fingerprint);
    const { certificates } = await node('b').start();
    expect([certificates.fingerprint, certificates.authority.certificate]).toEqual([
      alone.fingerprint,
      alone.authority.certificate,
    ]);
  });

  it('are taken by a node that has lost one of them', async () => {
    await node('a').start();
    const b = node('b');
    await b.start();
    rmSync(b.path('ttpkeys'), { recursive: true });
    expect((await b.start()).taken).toEqual({
      notes: [`took ${b.path('ttpkeys/ca.key')} from the other nodes`],
      isAuthorityNew: false,
    });
    expect(b.read('ttpkeys/ca.crt')).toBe(node('a').read('ttpkeys/ca.crt'));
  });

  it.each(['serverkeys/server.key', 'ttpkeys/ca.key'])(
    'refuse a directory with another %s, and leave it as it is',
    async (file) => {
      await node('a').start();
      const b = node('b');
      mkdirSync(join(b.path(file), '..'), { recursive: true });
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const other = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      writeFileSync(b.path(file), other, { mode: 0o600 });
      const refusal = {
        code: 'invalid',
        message: `${b.path(file)} is not the key that the nodes of this server share: give the --store that it belongs to, or an empty --data, into which the shared keys are put`,
      };
      await expect(b.start()).rejects.toMatchObject(refusal);
      await expect(checkSharedKeys(b.options)).rejects.toMatchObject(refusal);
      expect(b.read(file)).toBe(other);
      expect(createPublicKey(b.read(file)).asymmetricKeyType).toBe('ec');
    },
  );

  it('refuse a node with another secret, which writes nothing', async () => {
    await node('a').start();
    const b = node('b', sealUnder(otherSecret, 'realm'));
    const refusal = {
      code: 'invalid',
      message: expect.stringMatching(
        /^--cluster-secret is not the secret under which .* give every node the same/,
      ),
    };
    await expect(b.start()).rejects.toMatchObject(refusal);
    await expect(checkSharedKeys(b.options)).rejects.toMatchObject(refusal);
    expect(() => b.read('ttpkeys/ca.key')).toThrow('ENOENT');
  });

  it('have one certificate of the authority: what one node renews the others take, and of two at once one does', async () => {
    const [a, b] = [node('a'), node('b')];
    await a.start();
    await b.start();
    const before = a.read('ttpkeys/ca.crt');
    const due = now + 2_600 * dayMs;
    const [ofA, ofB] = await Promise.all([a.open(due), b.open(due)]);
    expect(ofA.authority.certificate).not.toBe(before);
    expect(ofB.authority.certificate).toBe(ofA.authority.certificate);
    expect(b.read('ttpkeys/ca.crt')).toBe(a.read('ttpkeys/ca.crt'));
    expect(ofB.fingerprint).toBe(ofA.fingerprint);
    // A node that was away takes it, and signs with the same key as ever.
    const c = node('c');
    await c.start(due + dayMs);
    expect(c.read('ttpkeys/ca.crt')).toBe(a.read('ttpkeys/ca.crt'));
    expect(
      new X509Certificate(before).publicKey.equals(new X509Certificate(c.read('ttpkeys/ca.crt')).publicKey),
    ).toBe(true);
  });

  it('are renewed by nodes that run, each for itself, under one certificate of the authority', async () => {
    vi.useFakeTimers({ now, toFake: ['Date', 'setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const log = createLog({ format: 'text' }, () => {});
    const running = await Promise.all(
      [node('a'), node('b')].map(async (one) => {
        await one.start();
        const used: Certificates[] = [];
        const keeper = await keepCertificates({ read: () => one.open(Date.now()), log });
        keeper.begin((certificates) => used.push(certificates));
        onTestFinished(() => keeper.stop());
        return { before: keeper.current, used };
      }),
    );
    // The nodes' own are due, and ten years later the authority's.
    for (const days of [300, 2_600]) {
      const at = now + days * dayMs;
      vi.setSystemTime(at);
      for (const { used } of running) used.length = 0;
      vi.advanceTimersByTime(3_600_000);
      await until(() => running.every(({ used }) => used.length === 1));
      const [a, b] = running.map(({ used }) => used[0] as Certificates) as [Certificates, Certificates];
      expect(a.authority.certificate).toBe(b.authority.certificate);
      for (const { before, used } of running) {
        const [certificates] = used as [Certificates];
        expect(certificates.fingerprint).toBe(before.fingerprint);
        expect(new X509Certificate(certificates.chain).validToDate.getTime()).toBeGreaterThan(
          at + 396 * dayMs,
        );
        const isRenewed = certificates.authority.certificate !== before.authority.certificate;
        expect(isRenewed).toBe(days === 2_600);
      }
    }
  });
});
