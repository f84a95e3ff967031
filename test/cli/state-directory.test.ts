import { chmod, chown, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  ensureWritable,
  readPrivateFile,
  removePrivateFile,
  replacePrivateFile,
} from '../../src/cli/state-directory.ts';
import { temporaryDirectory } from './support/fake-host.ts';

const userId = process.getuid?.() ?? 0;
const others = (path: string, owner: number, own: number) =>
  `${path}: belongs to user ${owner}, and this is user ${own}; was chat run with sudo? Give it back (chown -R ${own}), or name another directory with XDG_STATE_HOME`;
const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

describe('a private file', () => {
  it('is 0600 in a directory 0700, both made on the way, and leaves nothing beside it', async () => {
    const directory = join(await temporaryDirectory(), 'a', 'b');
    const path = join(directory, 'file');
    await replacePrivateFile(path, 'one', userId);
    await replacePrivateFile(path, 'two', userId);
    expect(await readPrivateFile(path, userId)).toBe('two');
    expect([await modeOf(path), await modeOf(directory)]).toEqual([0o600, 0o700]);
    expect(await readdir(directory)).toEqual(['file']);
  });

  it('closes a directory that was open to others', async () => {
    const directory = await temporaryDirectory();
    await chmod(directory, 0o755);
    await replacePrivateFile(join(directory, 'file'), 'x', userId);
    expect(await modeOf(directory)).toBe(0o700);
  });

  it('is undefined when it is not there', async () => {
    expect(await readPrivateFile(join(await temporaryDirectory(), 'none'), userId)).toBeUndefined();
  });

  it.each([0o640, 0o604, 0o620, 0o602])(
    'is refused with mode %o, and the text says what to do',
    async (mode) => {
      const path = join(await temporaryDirectory(), 'file');
      await writeFile(path, 'secret');
      await chmod(path, mode);
      await expect(readPrivateFile(path, userId)).rejects.toMatchObject({
        code: 'invalid',
        message: `${path}: can be read by other users; see who did, then run: chmod 600 '${path}'`,
      });
    },
  );

  it('that is a symlink is neither read nor replaced', async () => {
    const directory = await temporaryDirectory();
    const [target, path] = [join(directory, 'target'), join(directory, 'link')];
    await writeFile(target, 'theirs', { mode: 0o600 });
    await symlink(target, path);
    await expect(readPrivateFile(path, userId)).rejects.toMatchObject({
      code: 'invalid',
      message: `${path}: is a symbolic link; chat does not follow it`,
    });
    await expect(replacePrivateFile(path, 'ours', userId)).rejects.toMatchObject({
      message: `${path}: is a symbolic link; chat does not replace it`,
    });
    expect(await readFile(target, 'utf8')).toBe('theirs');
    expect((await readdir(directory)).sort()).toEqual(['link', 'target']);
  });

  it('is not written into a directory that is a symlink', async () => {
    const directory = await temporaryDirectory();
    await mkdir(join(directory, 'real'));
    await symlink(join(directory, 'real'), join(directory, 'link'));
    await expect(replacePrivateFile(join(directory, 'link', 'file'), 'x', userId)).rejects.toMatchObject({
      message: `${join(directory, 'link')}: is a symbolic link; chat keeps its files in a directory of its own`,
    });
  });

  it('of another user is refused, and so is their directory', async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, 'file');
    await writeFile(path, 'x', { mode: 0o600 });
    await expect(readPrivateFile(path, userId + 1)).rejects.toMatchObject({
      message: others(path, userId, userId + 1),
    });
    await expect(replacePrivateFile(path, 'y', userId + 1)).rejects.toMatchObject({
      message: others(directory, userId, userId + 1),
    });
    if (userId === 0) {
      await chown(path, 1, 1);
      await expect(readPrivateFile(path, 0)).rejects.toMatchObject({
        message: others(path, 1, 0),
      });
    }
  });

  it('that is a directory is refused', async () => {
    const path = join(await temporaryDirectory(), 'file');
    await mkdir(path);
    await expect(readPrivateFile(path, userId)).rejects.toMatchObject({ message: `${path}: is not a file` });
  });

  it('that cannot be written says which and why', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'file'), '');
    const below = join(directory, 'file', 'state');
    await expect(replacePrivateFile(join(below, 'x'), 'x', userId)).rejects.toMatchObject({
      code: 'invalid',
      message: `${below}: cannot make the directory (ENOTDIR)`,
    });
    await expect(ensureWritable(below, userId)).rejects.toMatchObject({
      message: `${below}: cannot make the directory (ENOTDIR)`,
    });
    await expect(readPrivateFile(join(below, 'x'), userId)).rejects.toMatchObject({
      message: `${join(below, 'x')}: cannot read it (ENOTDIR)`,
    });
  });

  it('can be removed once', async () => {
    const path = join(await temporaryDirectory(), 'file');
    await replacePrivateFile(path, 'x', userId);
    expect([await removePrivateFile(path), await removePrivateFile(path)]).toEqual([true, false]);
  });
});

describe('a directory that is found writable', () => {
  it('is left as it was', async () => {
    const directory = await temporaryDirectory();
    await ensureWritable(directory, userId);
    expect(await readdir(directory)).toEqual([]);
  });
});
