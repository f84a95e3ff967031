import type { Bus, Notice } from '../../core/ports/bus.ts';

/** The bus of a server that is alone: a notice reaches every listener before `publish` returns. */
export function localBus(onFailure: (error: unknown) => void): Bus {
  const listeners = new Set<(notice: Notice) => void>();
  function deliver(notice: Notice): void {
    for (const listener of listeners) {
      try {
        listener(notice);
      } catch (error) {
        // One listener's mistake must not keep the others from hearing, nor fail the publisher's call.
        onFailure(error);
      }
    }
  }
  return {
    isShared: false,
    publish: deliver,
    deliver,
    subscribe(listener) {
      // A function of its own, so that one listener may subscribe twice.
      const own = (notice: Notice): void => listener(notice);
      listeners.add(own);
      return () => {
        listeners.delete(own);
      };
    },
  };
}
