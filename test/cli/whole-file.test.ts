import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeWhole } from '../../src/cli/whole-file.ts';
import { ChatError } from '../../src/core/errors.ts';
import { temporaryDirectory } from './support/fake-host.ts';

/** A directory, a name in it, and what is asked of a write by default: a new file by process 7. */
async function place() {
  const directory = await temporaryDirectory();
  const ending = new AbortController();
  const how = { label: '--file', replaces: false, id: 7, signal: ending.signal };
  return { directory, path: join(directory, 'me.json'), ending, how, names: () => readdir(directory) };
}

/** The error that a write ended with. */
async function refused(work: Promise<void>) {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ChatError)) throw error ?? new Error('it was not refused');
  return { code: error.code, message: error.message, field: error.details.field };
}

const part = '.me.json.7.part';

describe('a file that is written whole', () => {
  it('has its name once all of it was put, and is for its owner alone', async () => {
    const { path, how, names } = await place();
    const seen: string[][] = [];
    await writeWhole(path, how, async (put) => {
      await put('one\n');
      seen.push(await names());
      await put('two\n');
    });
    expect(seen).toEqual([[part]]);
    expect(await names()).toEqual(['me.json']);
    expect(await readFile(path, 'utf8')).toBe('one\ntwo\n');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it.each([true, false])(
    'is not there when its writer fails, which is told as it was (replaces: %s)',
    async (replaces) => {
      const { path, how, names } = await place();
      if (replaces) await writeFile(path, 'old');
      const lost = new ChatError('unavailable', 'the connection was lost');
      const work = writeWhole(path, { ...how, replaces }, async (put) => {
        await put('half');
        throw lost;
      });
      await expect(work).rejects.toBe(lost);
      expect(await names()).toEqual(replaces ? ['me.json'] : []);
      if (replaces) expect(await readFile(path, 'utf8')).toBe('old');
    },
  );

  it('leaves nothing when the process is asked to end, at once and without waiting for its writer', async () => {
    const { path, how, names, ending } = await place();
    let goOn = (): void => {};
    let begun = (): void => {};
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const work = writeWhole(path, how, async (put) => {
      await put('half');
      begun();
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
    });
    await hasBegun;
    ending.abort();
    expect(await names()).toEqual([]);
    goOn();
    await expect(work).rejects.toBeInstanceOf(ChatError);
    expect(await names()).toEqual([]);
  });

  it('takes no name that is another file’s, also one that was taken meanwhile', async () => {
    const { path, how, names } = await place();
    const isTaken = {
      code: 'invalid',
      message: `--file: ${path} is there already; --force replaces it`,
      field: '--file',
    };
    expect(
      await refused(
        writeWhole(path, how, async (put) => {
          await put('mine');
          await writeFile(path, 'theirs');
        }),
      ),
    ).toEqual(isTaken);
    expect(await refused(writeWhole(path, how, (put) => put('mine')))).toEqual(isTaken);
    expect(await readFile(path, 'utf8')).toBe('theirs');
    expect(await names()).toEqual(['me.json']);
  });

  it('takes the place of another one when it may, with its own mode', async () => {
    const { path, how, names } = await place();
    await writeFile(path, 'a longer text from before');
    await chmod(path, 0o644);
    await writeWhole(path, { ...how, replaces: true }, (put) => put('new'));
    expect(await readFile(path, 'utf8')).toBe('new');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await names()).toEqual(['me.json']);
  });

  it('is written anew where a process of the same number was killed', async () => {
    const { directory, path, how, names } = await place();
    await writeFile(join(directory, part), 'a longer text from before', { mode: 0o644 });
    await writeWhole(path, how, (put) => put('new'));
    expect(await readFile(path, 'utf8')).toBe('new');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await names()).toEqual(['me.json']);
  });

  it('does not go where a link leads that stands in its way', async () => {
    const { directory, path, how } = await place();
    const elsewhere = join(directory, 'elsewhere');
    await writeFile(elsewhere, 'theirs');
    await symlink(elsewhere, join(directory, part));
    await symlink(elsewhere, path);
    await writeWhole(path, { ...how, replaces: true }, (put) => put('mine'));
    expect(await readFile(elsewhere, 'utf8')).toBe('theirs');
    expect(await readFile(path, 'utf8')).toBe('mine');
  });

  it('is refused with its name and the system’s reason where none can be', async () => {
    const { directory, path, how } = await place();
    const nowhere = join(directory, 'no', 'me.json');
    expect(await refused(writeWhole(nowhere, how, (put) => put('x')))).toEqual({
      code: 'invalid',
      message: `--file: cannot write ${nowhere} (ENOENT)`,
      field: '--file',
    });
    await mkdir(path);
    expect(await refused(writeWhole(path, { ...how, replaces: true }, (put) => put('x')))).toMatchObject({
      code: 'invalid',
      message: `--file: cannot write ${path} (EISDIR)`,
    });
  });
});
