import { describe, expect, it, onTestFinished } from 'vitest';
import { type StretchInput, stretch } from '../../../src/core/crypto/stretch.ts';
import { ChatError } from '../../../src/core/errors.ts';
import { parsePassword } from '../../../src/core/model/password.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import {
  type PasswordPool,
  type PasswordPoolOptions,
  passwordPool,
  passwordWorkers,
} from '../../../src/server/workers/password-pool.ts';

const scripted = new URL('./support/worker.ts', import.meta.url);
const always = { owner: '192.0.2.1', isWanted: () => true };

function input(password: string): StretchInput {
  return {
    realm: 'chat.example',
    username: parseUsername('alice'),
    password: parsePassword(password),
    salt: Uint8Array.from({ length: 16 }, (_, index) => index),
    cost: 10,
  };
}

/** A pool that ends with the test; its workers do what the password says. */
function open(options: Partial<PasswordPoolOptions> = {}): PasswordPool {
  const pool = passwordPool({ workers: 1, entry: scripted, ...options });
  onTestFinished(() => pool.close());
  return pool;
}

/** What a piece of work came to. */
function outcome(work: Promise<Uint8Array>): Promise<unknown> {
  return work.then(
    (secret) => new TextDecoder().decode(secret),
    (error: unknown) =>
      error instanceof ChatError
        ? { code: error.code, message: error.message, ...error.details }
        : (error as Error).message,
  );
}

const full = {
  code: 'unavailable',
  message: 'too many passwords are being checked: try again',
  retryAfterMs: 1_000,
};
const fullForOwner = {
  code: 'rate-limited',
  message: 'too many passwords from your address are being checked: try again',
  retryAfterMs: 1_000,
};
const ending = { code: 'unavailable', message: 'the server is ending' };

describe('a pool of password workers', () => {
  it('makes the very AuthSecret that a client makes, in a thread of its own', async () => {
    const pool = passwordPool({ workers: 2 });
    onTestFinished(() => pool.close());
    const passwords = ['correct horse battery staple', 'pâte à choux', '🐎🐎🐎🐎🐎🐎'];
    const secrets = await Promise.all(passwords.map((password) => pool.stretch(input(password), always)));
    expect(secrets).toEqual(await Promise.all(passwords.map((password) => stretch(input(password)))));
  });

  it('leaves the thread that asks free while it works', async () => {
    const pool = passwordPool({ workers: 1 });
    onTestFinished(() => pool.close());
    let isDone = false;
    let turns = 0;
    const work = pool.stretch(input('correct horse battery staple'), always).then(() => {
      isDone = true;
    });
    while (!isDone) {
      turns += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await work;
    // On this thread bcrypt would give way once in 100 ms.
    expect(turns).toBeGreaterThan(20);
  });

  it('answers each its own, however many wait', async () => {
    const pool = open({ workers: 2 });
    const passwords = Array.from({ length: 30 }, (_, index) => `secret ${index}`);
    expect(await Promise.all(passwords.map((one) => outcome(pool.stretch(input(one), always))))).toEqual(
      passwords,
    );
  });

  it('lets so many wait and no more, and says how long to wait', async () => {
    const pool = open({ maxWaiting: 3 });
    const work = Array.from({ length: 4 }, (_, index) =>
      outcome(pool.stretch(input('wait for ever'), { ...always, owner: `192.0.2.${index}` })),
    );
    const tooMany = outcome(pool.stretch(input('too many'), { ...always, owner: '192.0.2.9' }));
    await pool.close();
    expect(await tooMany).toEqual(full);
    expect(await Promise.all(work)).toEqual([ending, ending, ending, ending]);
  });

  it('lets so many of one owner wait, and others still find a place', async () => {
    const pool = open({ maxWaiting: 4, maxWaitingOfOwner: 2 });
    const work = Array.from({ length: 3 }, () => outcome(pool.stretch(input('wait for ever'), always)));
    const oneMore = outcome(pool.stretch(input('one more'), always));
    const other = outcome(pool.stretch(input('another'), { ...always, owner: '192.0.2.2' }));
    await pool.close();
    expect(await oneMore).toEqual(fullForOwner);
    expect(await Promise.all([...work, other])).toEqual([ending, ending, ending, ending]);
  });

  it('does not begin what nobody waits for any more, and gives its place away', async () => {
    const pool = open({ maxWaiting: 1 });
    let isThere = true;
    const first = outcome(pool.stretch(input('wait for ever'), always));
    const second = outcome(pool.stretch(input('a secret'), { owner: 'x', isWanted: () => isThere }));
    expect(await outcome(pool.stretch(input('too many'), always))).toEqual(full);
    isThere = false;
    const third = outcome(pool.stretch(input('a place'), always));
    expect(await second).toEqual({ code: 'unavailable', message: 'the caller has gone' });
    await pool.close();
    expect(await Promise.all([first, third])).toEqual([ending, ending]);
  });

  it('goes on after a password that failed', async () => {
    const pool = open();
    const work = ['fail this', 'a secret'].map((one) => outcome(pool.stretch(input(one), always)));
    expect(await Promise.all(work)).toEqual([
      'a password could not be stretched: the salt is too short',
      'a secret',
    ]);
  });

  it.each([
    ['throw this', 'out of memory'],
    ['exit now', 'a password worker ended with 3'],
  ])('replaces a worker that dies of %j, which takes one password with it', async (password, message) => {
    const pool = open();
    const work = [password, 'a secret', 'another'].map((one) => outcome(pool.stretch(input(one), always)));
    expect(await Promise.all(work)).toEqual([message, 'a secret', 'another']);
  });

  it('refuses everything when it is closed', async () => {
    const pool = open();
    await pool.close();
    expect(await outcome(pool.stretch(input('a secret'), always))).toEqual(ending);
  });

  it.each([
    [1, 1],
    [2, 1],
    [3, 2],
    [9, 8],
    [64, 8],
  ])('has on a machine of %i cores %i workers', (cores, workers) => {
    expect(passwordWorkers(cores)).toBe(workers);
  });
});
