import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readClusterSecret } from '../../../src/server/cluster/cluster-secret.ts';

const secret = 'k7Rw0Zq2mXv9TfB4nYc6LsHd1GpJe8Ua';

describe('the secret of a cluster', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'chat-secret-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  function write(contents: string | Uint8Array, mode = 0o600): string {
    const path = join(directory, 'secret');
    writeFileSync(path, contents);
    chmodSync(path, mode);
    return path;
  }

  it('is what stands in the file, without what stands around a text', async () => {
    expect(Buffer.from(await readClusterSecret(write(`\n ${secret}\r\n\n`))).toString()).toBe(secret);
    expect(Buffer.from(await readClusterSecret(write(secret, 0o400))).toString()).toBe(secret);
  });

  it('is every byte of a file that is no text, also when the last is a newline', async () => {
    const bytes = Uint8Array.from({ length: 32 }, (_, index) => (index === 31 ? 10 : 200 + index));
    expect(await readClusterSecret(write(bytes))).toEqual(bytes);
  });

  const others: readonly [name: string, contents: string | Uint8Array, mode: number, text: RegExp][] = [
    ['an empty file', '', 0o600, /is empty, and 32 are the least: make it once with \(umask 077; /],
    ['31 characters', `${secret.slice(1)}\n`, 0o600, /has 31 bytes, and 32 are the least/],
    ['one character many times', 'a'.repeat(64), 0o600, /is not random: make it once/],
    ['a short word many times', 'password123'.repeat(4), 0o600, /is not random/],
    ['more than any secret has', secret.repeat(200), 0o600, /has more than 4096 bytes/],
    ['what its group can read', secret, 0o640, /can be read or written by others: run chmod 600 \//],
    ['what others can write', secret, 0o602, /can be read or written by others/],
  ];
  it.each(others)('is not %s', async (_name, contents, mode, text) => {
    const path = write(contents, mode);
    await expect(readClusterSecret(path)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(text),
    });
    await expect(readClusterSecret(path)).rejects.toThrowError(`--cluster-secret: ${path} `);
  });

  it('is in a file that is there', async () => {
    await expect(readClusterSecret(join(directory, 'none'))).rejects.toThrowError(
      /none is not there: make it once/,
    );
    mkdirSync(join(directory, 'one'), { mode: 0o700 });
    await expect(readClusterSecret(join(directory, 'one'))).rejects.toThrowError(
      /one is no file: give the path of one/,
    );
  });
});
