/** Measurements of one round, by a name of one's own, in the order in which they are taken. */
export type Turns = Readonly<Record<string, () => unknown>>;

/** What each measurement gave, round for round. */
export type Taken<T extends Turns> = {
  readonly [Name in keyof T]: ReadonlyArray<Awaited<ReturnType<T[Name]>>>;
};

/**
 * Takes measurements in turn, all of them in each round: chat, floor, chat, floor. So what else the machine does, and how its disk
 * is at that time, is in both.
 */
export async function inTurn<T extends Turns>(rounds: number, turns: T): Promise<Taken<T>> {
  const taken: Record<string, unknown[]> = Object.fromEntries(Object.keys(turns).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, take] of Object.entries(turns)) taken[name]?.push(await take());
  }
  return taken as Taken<T>;
}
