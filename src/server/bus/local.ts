import type { Bus, Notice } from '../../core/ports/bus.ts';
import { listeners } from '../listeners.ts';

/** The bus of a server that is alone: a notice reaches every listener before `publish` returns. */
export function localBus(onFailure: (error: unknown) => void): Bus {
  const own = listeners<[Notice]>(onFailure);
  return { isShared: false, publish: own.tell, subscribe: own.add };
}
