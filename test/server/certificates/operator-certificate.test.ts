import { execFileSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCertificates } from '../../../src/server/certificates/certificates.ts';
import { inspectCertificates } from '../../../src/server/certificates/inspect.ts';
import {
  doubtsAbout,
  readOperatorCertificate,
} from '../../../src/server/certificates/operator-certificate.ts';
import { temporaryDirectory } from '../../cli/support/fake-host.ts';
import { newAuthority, signCertificate, TestKey } from '../../core/support/certificates.ts';

const day = 86_400_000;

/** A certificate of chat.example for two days, and its key, as files. */
async function filesOf(parts: Parameters<typeof signCertificate>[1] = {}) {
  const directory = await temporaryDirectory();
  const key = new TestKey();
  const files = { certificate: join(directory, 'tls.crt'), key: join(directory, 'tls.key') };
  await writeFile(
    files.certificate,
    await signCertificate(key, { name: 'chat.example', use: 'server', ...parts }),
  );
  await writeFile(files.key, key.pem, { mode: 0o600 });
  return { files, key, directory };
}

describe('an operator’s certificate', () => {
  it('is shown with its chain in the place of one of ours, and signs nothing: people’s are our authority’s', async () => {
    const { files, key, directory } = await filesOf();
    const between = (await newAuthority('between')).certificate;
    await writeFile(files.certificate, `${await readFile(files.certificate, 'utf8')}\n${between}`);
    const dataDirectory = join(directory, 'data');
    const opened = await openCertificates({ dataDirectory, listenHost: '127.0.0.1', files, now: Date.now() });
    expect(opened.key).toBe(key.pem);
    expect(opened.chain).toBe(await readFile(files.certificate, 'utf8'));
    const spki = createPublicKey(key.pem).export({ type: 'spki', format: 'der' });
    expect(Buffer.from(opened.spki)).toEqual(spki);
    expect(opened.authority.certificate).toBe(
      await readFile(join(dataDirectory, 'ttpkeys', 'ca.crt'), 'utf8'),
    );
    expect(opened.notes.some((note) => note.includes('serverkeys'))).toBe(false);
    expect(opened.doubts).toEqual([]);
  });

  it('is refused when it cannot be shown, naming the setting and the file', async () => {
    const { files, directory } = await filesOf();
    const other = join(directory, 'other.key');
    const locked = join(directory, 'locked.key');
    const words = join(directory, 'words');
    await writeFile(other, new TestKey().pem);
    await writeFile(words, 'words');
    execFileSync('openssl', ['ec', '-in', files.key, '-aes128', '-passout', 'pass:words', '-out', locked], {
      stdio: 'ignore',
    });
    const authority = join(directory, 'authority.crt');
    await writeFile(authority, (await newAuthority()).certificate);
    const cases: Array<[Partial<typeof files>, string]> = [
      [{ certificate: words }, `--tls-cert: ${words} is no certificate in PEM`],
      [
        { certificate: join(directory, 'none') },
        `--tls-cert: ${join(directory, 'none')} cannot be read (ENOENT)`,
      ],
      // A chain that begins with somebody else's.
      [
        { certificate: authority },
        `--tls-key: ${files.key} is not the key of the first certificate in ${authority}`,
      ],
      [{ key: words }, `--tls-key: ${words} is no private key in PEM, or has a passphrase`],
      [{ key: locked }, `--tls-key: ${locked} is no private key in PEM, or has a passphrase`],
      [{ key: join(directory, 'none') }, `--tls-key: ${join(directory, 'none')} cannot be read (ENOENT)`],
      [{ key: other }, `--tls-key: ${other} is not the key of the first certificate in ${files.certificate}`],
    ];
    for (const [change, message] of cases) {
      await expect(readOperatorCertificate({ ...files, ...change })).rejects.toMatchObject({
        code: 'invalid',
        message: expect.stringContaining(message),
      });
    }
  });

  it('is doubted when its time is not now, and when everybody can read its key', async () => {
    const now = Date.now();
    const { files } = await filesOf({ notBefore: now - day, notAfter: now + day });
    const read = await readOperatorCertificate(files);
    expect(await doubtsAbout(read, files, now)).toEqual([]);
    expect(await doubtsAbout(read, files, now + 2 * day)).toEqual([expect.stringContaining('has expired')]);
    expect(await doubtsAbout(read, files, now - 2 * day)).toEqual([expect.stringContaining('not valid yet')]);
    await chmod(files.key, 0o640);
    expect(await doubtsAbout(read, files, now)).toEqual([]);
    await chmod(files.key, 0o644);
    expect(await doubtsAbout(read, files, now)).toEqual([
      expect.stringContaining('everybody on this machine'),
    ]);
  });

  it('is refused when TLS would not show it: a weak key, a curve that nobody takes, a damaged certificate in the chain', async () => {
    const { files, directory } = await filesOf();
    const made = async (name: string, ...newKey: string[]) => {
      const [certificate, key] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)];
      const args = [
        'req',
        '-x509',
        '-nodes',
        '-newkey',
        ...newKey,
        '-subj',
        '/CN=x',
        '-keyout',
        key,
        '-out',
        certificate,
      ];
      execFileSync('openssl', args, { stdio: 'ignore' });
      return { certificate, key };
    };
    const damaged = join(directory, 'damaged.crt');
    await writeFile(
      damaged,
      `${await readFile(files.certificate, 'utf8')}\n-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIB\n-----END CERTIFICATE-----\n`,
    );
    const weak = await made('weak', 'rsa:1024');
    const odd = await made('odd', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp224r1');
    const cases = [
      [weak, `--tls-cert: ${weak.certificate} cannot be shown with its key (`],
      [odd, `--tls-key: ${odd.key} is secp224r1: RSA, P-256, P-384 or P-521 is what clients take`],
      [{ ...files, certificate: damaged }, `--tls-cert: ${damaged} cannot be shown with its key (`],
    ] as const;
    for (const [other, message] of cases) {
      const refusal = { code: 'invalid', message: expect.stringContaining(message) };
      await expect(readOperatorCertificate(other)).rejects.toMatchObject(refusal);
      const [, checked] = await inspectCertificates(join(directory, 'data'), {
        now: Date.now(),
        files: other,
        hasDatabase: false,
      });
      expect(checked).toMatchObject({ status: 'fail', message: expect.stringContaining(message) });
    }
  });

  it('is looked at by the check of a server, which changes nothing', async () => {
    const { files, directory } = await filesOf();
    const now = Date.now();
    expect(
      await inspectCertificates(join(directory, 'data'), { now, files, hasDatabase: false }),
    ).toMatchObject([
      { check: 'authority', status: 'ok' },
      {
        check: 'certificate',
        status: 'ok',
        message: expect.stringMatching(/until \d{4}-\d\d-\d\d; SHA256:/),
      },
    ]);
    await writeFile(files.key, 'words');
    expect(
      await inspectCertificates(join(directory, 'data'), { now, files, hasDatabase: false }),
    ).toMatchObject([
      { check: 'authority' },
      { check: 'certificate', message: expect.stringContaining('--tls-key') },
    ]);
  });
});
