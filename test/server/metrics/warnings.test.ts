import { describe, expect, it } from 'vitest';
import type { ServerFigures } from '../../../src/server/metrics/figures.ts';
import { thresholds, warningsOf } from '../../../src/server/metrics/warnings.ts';

const now = Date.parse('2026-11-22T00:00:00Z');
const none = { bounds: [], counts: [0], sum: 0 };

/** A server that is well. */
const well: ServerFigures = {
  version: '0.1.0',
  startedAt: now,
  isDraining: false,
  maxConnections: 100,
  traffic: {
    open: [{ door: 'line', isSecure: false, count: 1 }],
    undecided: 0,
    accepted: 1,
    refused: { server: 0, address: 0, handshakes: 0, 'clear-text': 0, slow: 0, 'no-proxy-header': 0 },
    failedHandshakes: 0,
    bytesIn: 0,
    bytesOut: 0,
    queuedBytes: 0,
    mostQueuedBytes: 0,
  },
  chat: {
    loggedIn: 0,
    online: 0,
    readers: 0,
    followers: 0,
    lagging: 0,
    lagged: 0,
    deliveries: 0,
    auditWaiting: 0,
    auditLost: 0,
  },
  calls: [],
  limited: new Map(),
  messages: 0,
  messagesLastMinute: 0,
  messagesLastHour: 0,
  store: {
    queue: 0,
    batchCalls: none,
    batchSeconds: none,
    commitSeconds: none,
    indexLag: 0,
    file: { syncSeconds: none, checkpointSeconds: none, checkpointAt: undefined, fullDisk: 0 },
    remote: undefined,
  },
  node: undefined,
  bugs: 0,
  lately: { bugs: 0, fullDisk: 0, auditLost: 0, mailsGivenUp: 0 },
  syncP50: undefined,
  syncP99: undefined,
  passwords: { workers: 1, busy: 0, waiting: 0, refused: 0, waitSeconds: none },
  mail: undefined,
  backups: { newestAt: now, made: 0, failed: 0, freeBytes: undefined },
  disk: { databaseBytes: 0, logBytes: 0, freeBytes: undefined },
  certificateUntil: now + 1e12,
  authorityUntil: now + 1e12,
  loopDelayP50: 0,
  loopDelayP99: 0,
  memoryBytes: 0,
  heapBytes: 0,
  availableMemoryBytes: 1e12,
};
const disk = (change: Partial<ServerFigures['disk']>) => ({ disk: { ...well.disk, ...change } });
const store = (change: Partial<ServerFigures['store']>) => ({ store: { ...well.store, ...change } });
const chat = (change: Partial<ServerFigures['chat']>) => ({ chat: { ...well.chat, ...change } });
const lately = (change: Partial<ServerFigures['lately']>) => ({ lately: { ...well.lately, ...change } });
const open = (count: number) => ({
  traffic: { ...well.traffic, open: [{ door: 'http', isSecure: true, count }], undecided: 10 } as const,
});
const t = thresholds;

describe('the warnings', () => {
  it('are none for a server that is well', () => {
    expect(warningsOf(well, now)).toEqual([]);
  });

  /** The last good value, the first bad one, and what is said of it. */
  const cases: ReadonlyArray<readonly [good: Partial<ServerFigures>, bad: Partial<ServerFigures>, RegExp]> = [
    [
      disk({ freeBytes: t.freeDiskBytes }),
      disk({ freeBytes: t.freeDiskBytes - 1 }),
      /^the disk .* 1023 MiB left/,
    ],
    [
      { certificateUntil: now + t.certificateLeftMs },
      { certificateUntil: now + t.certificateLeftMs - 1 },
      /expires in 13 days/,
    ],
    [{ authorityUntil: now + t.certificateLeftMs }, { authorityUntil: now - 1 }, /has expired/],
    [{ syncP99: t.syncSeconds }, { syncP99: 0.25 }, /takes 250 ms for a sync/],
    [{ loopDelayP99: t.loopDelaySeconds }, { loopDelayP99: 0.101 }, /101 ms late/],
    [store({ queue: t.storeQueue }), store({ queue: t.storeQueue + 1 }), /^10001 calls wait/],
    [disk({ logBytes: t.logBytes }), disk({ logBytes: t.logBytes + 1 }), /log has 256 MiB/],
    [
      { availableMemoryBytes: t.availableMemoryBytes },
      { availableMemoryBytes: t.availableMemoryBytes - 1 },
      /^255 MiB of memory/,
    ],
    [open(80), open(81), /^91 of 100 connections/],
    [
      { traffic: { ...well.traffic, queuedBytes: t.queuedBytes } },
      { traffic: { ...well.traffic, queuedBytes: t.queuedBytes + 1 } },
      /wait for readers/,
    ],
    [
      chat({ auditWaiting: t.auditWaiting }),
      chat({ auditWaiting: t.auditWaiting + 1 }),
      /^1001 entries .* wait/,
    ],
    // What was lost long ago is no news.
    [chat({ auditLost: 1 }), lately({ auditLost: 1 }), /^1 entries .* left out in the last hour/],
    [{ bugs: 1 }, lately({ bugs: 1 }), /^1 calls ended as a bug/],
    [
      store({ file: { syncSeconds: none, checkpointSeconds: none, checkpointAt: undefined, fullDisk: 1 } }),
      lately({ fullDisk: 1 }),
      /^1 writes found the disk full/,
    ],
    [
      { passwords: { ...well.passwords, waiting: t.passwordsWaiting } },
      { passwords: { ...well.passwords, waiting: t.passwordsWaiting + 1 } },
      /^17 passwords wait/,
    ],
    [
      { mail: { waiting: t.mailsWaiting, sent: 0, givenUp: 0 } },
      { mail: { waiting: t.mailsWaiting + 1, sent: 0, givenUp: 0 } },
      /^101 mails wait/,
    ],
    [{ mail: { waiting: 0, sent: 0, givenUp: 1 } }, lately({ mailsGivenUp: 1 }), /^1 mails were given up/],
    [
      store({ indexLag: t.indexLag }),
      store({ indexLag: t.indexLag + 1 }),
      /^500001 messages are not in the index/,
    ],
    [
      { backups: { made: 0, failed: 0, freeBytes: undefined, newestAt: now - t.backupAgeMs } },
      { backups: { made: 0, failed: 0, freeBytes: undefined, newestAt: now - t.backupAgeMs - 1 } },
      /backup is 7 days old/,
    ],
    [
      {},
      { backups: { made: 0, failed: 0, freeBytes: undefined, newestAt: undefined } },
      /^there is no backup/,
    ],
  ];

  it.each(cases)('are one from the first bad value on (%#)', (good, bad, text) => {
    expect(warningsOf({ ...well, ...good }, now)).toEqual([]);
    expect(warningsOf({ ...well, ...bad }, now)).toEqual([expect.stringMatching(text)]);
  });

  it('are none of connections where any number is taken', () => {
    expect(warningsOf({ ...well, ...open(1e6), maxConnections: 0 }, now)).toEqual([]);
  });
});
