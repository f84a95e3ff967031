import type { Bus, Notice } from '../../../src/core/ports/bus.ts';

/** A bus between nodes. Its notices arrive at once, 700 ms late, or never. */
export class Network {
  weather: 'fine' | 'slow' | 'lost' = 'fine';
  readonly #listeners = new Set<(notice: Notice) => void>();

  /** One node's end of it; the node's own notices take the same way. */
  open(): Bus {
    return {
      isShared: true,
      publish: (notice) => {
        if (this.weather === 'lost') return;
        const copy = structuredClone(notice);
        if (this.weather === 'slow') setTimeout(() => this.#tell(copy), 700);
        else this.#tell(copy);
      },
      subscribe: (listener) => {
        const own = (notice: Notice): void => listener(notice);
        this.#listeners.add(own);
        return () => {
          this.#listeners.delete(own);
        };
      },
    };
  }

  #tell(notice: Notice): void {
    for (const listener of [...this.#listeners]) listener(notice);
  }
}
