/** Listeners that hear everything, whatever one of them throws. */
export interface Listeners<T extends readonly unknown[]> {
  tell(...what: T): void;
  /** Answers a function that stops it. */
  add(listener: (...what: T) => void): () => void;
}

/** Builds an empty set of listeners; `onFailure` is told what a listener throws. */
export function listeners<T extends readonly unknown[]>(onFailure: (error: unknown) => void): Listeners<T> {
  const all = new Set<(...what: T) => void>();
  return {
    tell(...what) {
      for (const listener of all) {
        try {
          listener(...what);
        } catch (error) {
          // One listener's mistake must not keep the others from hearing, nor fail who tells.
          onFailure(error);
        }
      }
    },
    add(listener) {
      // A function of its own, so that one listener may listen twice.
      const own = (...what: T): void => listener(...what);
      all.add(own);
      return () => {
        all.delete(own);
      };
    },
  };
}
