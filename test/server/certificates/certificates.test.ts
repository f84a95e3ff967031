import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ChatError } from '../../../src/core/errors.ts';
import { type Certificates, openCertificates } from '../../../src/server/certificates/certificates.ts';

const now = Date.UTC(2026, 0, 1);
const dayMs = 86_400_000;

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'chat-certificates-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

function open(dataDirectory: string, at = now, listenHost = '127.0.0.1'): Promise<Certificates> {
  return openCertificates({ dataDirectory, listenHost, now: at });
}

/** The leaf and the authority of a chain. */
function parsed({ chain }: Certificates): [X509Certificate, X509Certificate] {
  const [leaf = '', authority = ''] = chain.split(/(?<=-----END CERTIFICATE-----\n)/);
  return [new X509Certificate(leaf), new X509Certificate(authority)];
}

const files = ['ttpkeys/ca.key', 'ttpkeys/ca.crt', 'serverkeys/server.key', 'serverkeys/server.crt'] as const;

describe('the certificates', () => {
  it('are made at the first start, and are the same ones at the second', async () => {
    const directory = await scratch();
    const first = await open(directory);
    expect(first.notes).toEqual(files.map((file) => `made ${join(directory, file)}`));
    expect(await open(directory, now + dayMs)).toEqual({ ...first, isAuthorityNew: false, notes: [] });
  });

  it('are one P-256 leaf under one authority of its own', async () => {
    const opened = await open(await scratch());
    const [leaf, authority] = parsed(opened);
    expect([authority.ca, authority.verify(authority.publicKey), authority.keyUsage]).toEqual([
      true,
      true,
      undefined,
    ]);
    expect([leaf.ca, leaf.checkIssued(authority), leaf.verify(authority.publicKey), leaf.keyUsage]).toEqual([
      false,
      true,
      true,
      ['1.3.6.1.5.5.7.3.1'],
    ]);
    expect(leaf.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
    expect(leaf.validToDate.getTime() - now).toBe(397 * dayMs);
    expect(authority.validToDate.getTime() - now).toBe(3_652 * dayMs);
    expect(leaf.validFromDate.getTime()).toBe(now - 3_600_000);
  });

  it('name this machine, loopback and the host that is listened on', async () => {
    const [leaf] = parsed(await open(await scratch(), now, 'chat.example.org'));
    for (const name of ['localhost', 'chat.example.org']) expect(leaf.checkHost(name)).toBe(name);
    for (const address of ['127.0.0.1', '::1']) expect(leaf.checkIP(address)).not.toBe(undefined);
    expect(leaf.checkHost('elsewhere.example.org')).toBe(undefined);
  });

  it('do not name an address that means all of them', async () => {
    for (const host of ['0.0.0.0', '::']) {
      const [leaf] = parsed(await open(await scratch(), now, host));
      expect(leaf.checkIP(host)).toBe(undefined);
    }
  });

  it('show a fingerprint as ssh does', async () => {
    const { fingerprint, spki } = await open(await scratch());
    const digest = await crypto.subtle.digest('SHA-256', Buffer.from(spki));
    expect(fingerprint).toBe(`SHA256:${Buffer.from(digest).toString('base64').slice(0, 43)}`);
  });

  it('differ from server to server', async () => {
    const [one, other] = [await open(await scratch()), await open(await scratch())];
    expect(one.fingerprint).not.toBe(other.fingerprint);
    expect(parsed(one)[1].subject).not.toBe(parsed(other)[1].subject);
  });

  it('keep their keys to their owner', async () => {
    const directory = await scratch();
    await open(directory);
    const mode = async (path: string): Promise<number> => (await stat(join(directory, path))).mode & 0o777;
    expect(await Promise.all(['ttpkeys', 'serverkeys', ...files].map(mode))).toEqual([
      0o700, 0o700, 0o600, 0o644, 0o600, 0o644,
    ]);
  });

  it('close a key that others could read, and say so', async () => {
    const directory = await scratch();
    await open(directory);
    const key = join(directory, 'serverkeys/server.key');
    await chmod(key, 0o640);
    expect((await open(directory)).notes).toEqual([`others could read ${key}: it is closed to them now`]);
    expect((await stat(key)).mode & 0o777).toBe(0o600);
  });
});

describe('a renewal', () => {
  const leafDueAt = (397 * dayMs + 3_600_000) * (2 / 3) - 3_600_000;

  it('comes at exactly a third left of the leaf, and keeps key and fingerprint', async () => {
    const directory = await scratch();
    const first = await open(directory);
    expect((await open(directory, now + leafDueAt - 1)).notes).toEqual([]);
    const renewed = await open(directory, now + leafDueAt);
    expect(renewed.notes).toEqual([`renewed ${join(directory, 'serverkeys/server.crt')}`]);
    expect([renewed.fingerprint, renewed.key]).toEqual([first.fingerprint, first.key]);
    expect(parsed(renewed)[0].validToDate.getTime()).toBe(now + leafDueAt + 397 * dayMs);
    expect(parsed(renewed)[0].serialNumber).not.toBe(parsed(first)[0].serialNumber);
  });

  it('of the authority keeps its key and name, so that what it has signed stays good', async () => {
    const directory = await scratch();
    const first = await open(directory);
    const renewed = await open(directory, now + 3_652 * dayMs * 0.7);
    expect(renewed.notes).toHaveLength(2);
    const [[oldLeaf, oldAuthority], [, authority]] = [parsed(first), parsed(renewed)];
    expect([authority.subject, oldLeaf.verify(authority.publicKey), renewed.fingerprint]).toEqual([
      oldAuthority.subject,
      true,
      first.fingerprint,
    ]);
  });

  it('comes when the host has changed', async () => {
    const directory = await scratch();
    const first = await open(directory);
    const renewed = await open(directory, now, '192.0.2.7');
    expect([renewed.fingerprint, parsed(renewed)[0].checkIP('192.0.2.7')]).toEqual([
      first.fingerprint,
      '192.0.2.7',
    ]);
    expect((await open(directory, now, '192.0.2.7')).notes).toEqual([]);
  });

  it('comes when the clock was ahead when it was made', async () => {
    const directory = await scratch();
    await open(directory, now + 30 * dayMs);
    expect((await open(directory, now)).notes).toHaveLength(2);
  });
});

describe('an interrupted first start', () => {
  it.each([1, 2, 3])('is completed when %i files were made, over the keys that are there', async (count) => {
    const directory = await scratch();
    const whole = await open(directory);
    for (const file of files.slice(count)) await rm(join(directory, file));
    await writeFile(join(directory, `${files[count]}.tmp`), 'half');
    const completed = await open(directory);
    expect(completed.notes).toEqual(files.slice(count).map((file) => `made ${join(directory, file)}`));
    if (count > 2) expect(completed.fingerprint).toBe(whole.fingerprint);
    const left = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('.tmp'));
    expect([left, (await open(directory)).notes]).toEqual([[], []]);
  });

  it('never writes through a link that stands in the way', async () => {
    const directory = await scratch();
    await open(directory);
    const victim = join(directory, 'victim');
    await writeFile(victim, 'untouched');
    await rm(join(directory, 'serverkeys/server.crt'));
    await symlink(victim, join(directory, 'serverkeys/server.crt.tmp'));
    await open(directory);
    expect(await readFile(victim, 'utf8')).toBe('untouched');
  });
});

describe('damage', () => {
  it.each([
    ['ttpkeys/ca.key', 'it is no private key'],
    ['ttpkeys/ca.crt', 'it is no certificate'],
    ['serverkeys/server.key', 'it is no private key'],
    ['serverkeys/server.crt', 'it is no certificate'],
  ])('of %s is named, and nothing is replaced', async (file, why) => {
    const directory = await scratch();
    await open(directory);
    const path = join(directory, file);
    await writeFile(path, 'damaged');
    await expect(open(directory)).rejects.toEqual(
      new ChatError('unavailable', `${path} is damaged: ${why}; restore it from a backup`),
    );
    expect(await readFile(path, 'utf8')).toBe('damaged');
  });

  it('is what another key or another kind of key is', async () => {
    const directory = await scratch();
    await open(directory);
    const key = join(directory, 'serverkeys/server.key');
    const pem = (namedCurve: string): string =>
      generateKeyPairSync('ec', { namedCurve })
        .privateKey.export({ type: 'pkcs8', format: 'pem' })
        .toString();
    await writeFile(key, pem('prime256v1'));
    await expect(open(directory)).rejects.toThrowError(
      `${join(directory, 'serverkeys/server.crt')} is damaged: it is not over the key beside it; restore it from a backup`,
    );
    await writeFile(key, pem('secp384r1'));
    await expect(open(directory)).rejects.toThrowError(
      `${key} is damaged: it is no P-256 key; restore it from a backup`,
    );
  });

  it('is a key that is missing beside its certificate', async () => {
    const directory = await scratch();
    await open(directory);
    const key = join(directory, 'ttpkeys/ca.key');
    await rm(key);
    await expect(open(directory)).rejects.toThrowError(
      `${key} is missing while ca.crt is there: restore it from a backup, or remove ${join(directory, 'ttpkeys/ca.crt')} too and every client will see a new server`,
    );
  });

  it('of the directory is named with the system’s reason', async () => {
    const directory = await scratch();
    const file = join(directory, 'file');
    await writeFile(file, '');
    await expect(open(file)).rejects.toEqual(
      new ChatError('unavailable', `cannot use ${join(file, 'ttpkeys')}: ENOTDIR`),
    );
  });
});
