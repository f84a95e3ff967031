import { localBus } from '../../src/server/bus/local.ts';
import { describeBus } from './bus.exam.ts';

describeBus('the bus of one node', async () => {
  const failures: unknown[] = [];
  const bus = localBus((error) => failures.push(error));
  return { here: bus, there: bus, failures, close: async () => {} };
});
