import { vi } from 'vitest';
import { presenceOverBus } from '../../src/server/presence/over-bus.ts';
import { Network } from '../core/support/network.ts';
import { describePresenceBoard } from './presence.exam.ts';

describePresenceBoard('presence over a bus', () => {
  vi.useFakeTimers();
  const network = new Network();
  return {
    open() {
      const bus = network.open();
      let isDead = false;
      const board = presenceOverBus({
        ...bus,
        publish: (notice) => {
          if (!isDead) bus.publish(notice);
        },
        subscribe: (listener) =>
          bus.subscribe((notice) => {
            if (!isDead) listener(notice);
          }),
      });
      const kill = (): void => {
        isDead = true;
      };
      return { board, kill };
    },
    setWeather(weather) {
      network.weather = weather;
    },
    close: () => {},
    pass: async (ms) => {
      await vi.advanceTimersByTimeAsync(ms);
    },
  };
});
