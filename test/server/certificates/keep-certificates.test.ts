import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ChatError } from '../../../src/core/errors.ts';
import { type Certificates, openCertificates } from '../../../src/server/certificates/certificates.ts';
import { keepCertificates } from '../../../src/server/certificates/keep-certificates.ts';
import { createLog } from '../../../src/server/log.ts';

const now = Date.UTC(2026, 0, 1);
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** Those of a server, the first ones, from which a test makes others. */
let first: Certificates;

beforeEach(async () => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'chat-keeper-'));
  onTestFinished(() => rm(dataDirectory, { recursive: true }));
  first = await openCertificates({ dataDirectory, listenHost: '127.0.0.1', now });
  vi.useFakeTimers({ now });
});
afterEach(() => void vi.useRealTimers());

/** A server whose certificates become what `next` says, read by read. */
async function kept(...next: Array<Certificates | Error>) {
  const log: string[] = [];
  const used: string[] = [];
  const reads: Array<{ isFirst: boolean; at: number }> = [];
  const results = [...next];
  const keeper = await keepCertificates({
    async read(isFirst) {
      reads.push({ isFirst, at: Date.now() });
      const result = results.shift();
      if (result === undefined) throw new Error('read too often');
      if (result instanceof Error) throw result;
      return result;
    },
    log: createLog({ format: 'json', level: 'info' }, (line) => log.push(line)),
  });
  keeper.begin(({ chain }) => used.push(chain));
  onTestFinished(() => keeper.stop());
  const events = () =>
    log.map((line) => {
      const { event, signal, why, note } = JSON.parse(line);
      return [event, signal, event === 'certificates' ? note : why].filter((one) => one !== undefined);
    });
  return { keeper, used, reads, events };
}
/** Lets time go by; of a long one only the last hours are passed through, as whole hours at a time as the looks come. */
async function pass(ms: number): Promise<void> {
  const leapt = Math.max(0, Math.floor(ms / hourMs) - 3) * hourMs;
  vi.setSystemTime(Date.now() + leapt);
  await vi.advanceTimersByTimeAsync(ms - leapt);
}

describe('certificates that are kept', () => {
  it('are renewed within the hour in which a third of their time is left, and no earlier', async () => {
    // From an hour before it was made to 397 days after.
    expect(first.dueAt).toBe(now + 397 * dayMs - (397 * dayMs + hourMs) / 3);
    const second = { ...first, chain: 'second', dueAt: first.dueAt + 265 * dayMs, notes: ['renewed x'] };
    const third = { ...second, chain: 'third', dueAt: second.dueAt + 265 * dayMs };
    const { keeper, used, reads, events } = await kept({ ...first, notes: ['made x'] }, second, third);
    await pass(first.dueAt - now);
    expect([reads.length, used]).toEqual([1, []]);
    await pass(hourMs);
    expect(used).toEqual(['second']);
    expect(keeper.current.chain).toBe('second');
    expect(reads.map(({ isFirst }) => isFirst)).toEqual([true, false]);
    expect((reads[1]?.at ?? 0) - first.dueAt).toBeLessThan(hourMs);
    await pass(265 * dayMs);
    expect(used).toEqual(['second', 'third']);
    expect(events()).toEqual([
      ['certificates', 'made x'],
      ...Array(2)
        .fill([['certificates', 'renewed x'], ['certificates-read']])
        .flat(),
    ]);
  });

  it('are tried again each hour when they could not be renewed, and shown until then', async () => {
    const down = new ChatError('unavailable', 'the database cannot be reached');
    const second = { ...first, chain: 'second', dueAt: first.dueAt + dayMs, notes: [] };
    const { keeper, used, events } = await kept(first, down, new Error('a bug'), second);
    await pass(first.dueAt - now + 2 * hourMs);
    expect([keeper.current, used]).toEqual([first, []]);
    await pass(hourMs);
    expect(used).toEqual(['second']);
    expect(events().slice(-3)).toEqual([
      ['certificates-kept', 'the database cannot be reached'],
      ['certificates-kept', 'Error: a bug'],
      ['certificates-read'],
    ]);
  });

  it('of an operator are read again when they are due until somebody brings others; a doubt is said once', async () => {
    const old = { ...first, notes: [], dueAt: now, doubts: ['it has expired'] };
    const brought = { ...old, chain: 'brought', dueAt: now + 60 * dayMs, doubts: [] };
    const { used, events, reads } = await kept(old, old, old, brought);
    await pass(2 * hourMs);
    expect([reads.length, used]).toEqual([3, []]);
    await pass(hourMs);
    expect(used).toEqual(['brought']);
    expect(events()).toEqual([['certificates', 'it has expired'], ['certificates-read']]);
  });

  it('are read at once when somebody asks, one read after the other, and every doubt is said again', async () => {
    const doubtful = { ...first, notes: [], doubts: ['all can read the key'] };
    const refused = new ChatError('invalid', '--tls-key: x is no private key');
    const { keeper, used, events } = await kept(doubtful, doubtful, refused);
    keeper.readAgain();
    keeper.readAgain();
    await pass(0);
    expect(used).toEqual([first.chain]);
    expect(events()).toEqual([
      ['certificates', 'all can read the key'],
      ['certificates', 'all can read the key'],
      ['certificates-read', 'SIGHUP'],
      ['certificates-kept', 'SIGHUP', '--tls-key: x is no private key'],
    ]);
  });

  it('are left alone when the server has ended', async () => {
    const { keeper, reads } = await kept({ ...first, dueAt: now });
    await keeper.stop();
    keeper.readAgain();
    await pass(2 * dayMs);
    expect(reads).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
