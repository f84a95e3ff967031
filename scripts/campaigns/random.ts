/** Numbers in [0, 1) that a seed decides (mulberry32), so that a campaign that failed can be run again. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * The same, decided by a seed and the words for what is chosen: what one chooser draws, however often, changes nothing for another. So a
 * load, which draws as often as time lets it, takes nothing from what a trial chooses.
 */
export function seededFor(seed: number, what: string): () => number {
  // FNV-1a.
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(`${seed} ${what}`)) hash = Math.imul(hash ^ byte, 0x01000193);
  return seeded(hash);
}

/** One of a list, which has some. */
export function pick<Item>(from: readonly Item[], random: () => number): Item {
  return from[Math.floor(random() * from.length)] as Item;
}

/** The same in another order (Fisher and Yates). */
export function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other] as Item, result[last] as Item];
  }
  return result;
}
