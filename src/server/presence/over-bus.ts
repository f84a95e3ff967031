import type { Bus } from '../../core/ports/bus.ts';
import type { PresenceBoard } from '../../core/ports/presence-board.ts';
import { sharedPresence } from './shared.ts';

/**
 * Who is online on the other nodes of a bus: told by its notices, in their order and with their signature. Nothing of it is kept
 * between the nodes, so that nothing is left there of one that has died.
 */
export function presenceOverBus(bus: Bus): PresenceBoard {
  return sharedPresence({
    tell: (node, news) => bus.publish({ type: 'presence', node, news }),
    listen: (listener) =>
      bus.subscribe((notice) => {
        if (notice.type === 'presence') listener(notice.node, notice.news);
      }),
    onDoubt: (listener) => bus.onDoubt?.(listener) ?? (() => {}),
  });
}
