import { localSessionCache } from '../../src/server/session-cache/local.ts';
import { SharedSessionCache } from '../core/support/shared-session-cache.ts';
import { describeSessionCache } from './session-cache.exam.ts';

describeSessionCache('the memory of one node', () => {
  const cache = localSessionCache({ maxEntries: 1_000 });
  return { here: cache, there: cache };
});

// What the tests of several nodes use must be a cache that could be.
describeSessionCache('the shared cache of the tests', () => {
  const shared = new SharedSessionCache(() => performance.now());
  return { here: shared.open(), there: shared.open() };
});
