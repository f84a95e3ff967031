import { expect, it } from 'vitest';
import type { Peer } from '../../../src/core/peer.ts';
import { createCounts } from '../../../src/server/metrics/figures.ts';

it('counts as bugs the calls of every operation that end as one, from none on', () => {
  const counts = createCounts();
  const peer = {} as Peer;
  expect(counts.bugs).toBe(0);
  for (const outcome of ['ok', 'invalid', 'unavailable'] as const)
    counts.meter.served('ping', outcome, 1, peer);
  expect(counts.bugs).toBe(0);
  counts.meter.served('ping', 'internal', 1, peer);
  counts.meter.served('message.send', 'internal', 1, peer);
  expect(counts.bugs).toBe(2);
});
