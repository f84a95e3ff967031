import type { Bus, Notice } from '../../../src/core/ports/bus.ts';

/** Random numbers from a seed: the same ones each time. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 on, below 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from 0 on, below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  of<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)];
    if (found === undefined) throw new Error('there is nothing to choose from');
    return found;
  }

  isSo(probability: number): boolean {
    return this.next() < probability;
  }
}

interface End {
  readonly listeners: Set<(notice: Notice) => void>;
  readonly doubters: Set<() => void>;
  isCut: boolean;
}

/**
 * A bus between nodes that treats what it carries worse than any real one may: notices of others are lost, late, told twice and in
 * another order, as a seed will have it. Of some losses a node is told, of others it is not. The own ones are heard at once.
 */
export class LossyNetwork {
  readonly #chance: Chance;
  readonly #ends: End[] = [];
  /** Of the notices to others, how many are lost and how many are late; each from 0 to 1. */
  losses = 0.3;
  delays = 0.3;
  /** Of what is lost, how much a node is told of: with every loss that it hears of it looks at the store. */
  doubts = 0;

  constructor(seed: number) {
    this.#chance = new Chance(seed);
  }

  /** One node's end, and what cuts it off: then nothing leaves it and nothing comes. */
  open(): { readonly bus: Bus; cut(): void } {
    const end: End = { listeners: new Set(), doubters: new Set(), isCut: false };
    this.#ends.push(end);
    const add = <T>(set: Set<T>, one: T): (() => void) => {
      set.add(one);
      return () => {
        set.delete(one);
      };
    };
    return {
      bus: {
        isShared: true,
        publish: (notice) => {
          const copy = structuredClone(notice);
          tell(end, notice);
          if (end.isCut) return;
          for (const other of this.#ends) if (other !== end) this.#send(other, copy);
        },
        subscribe: (listener) => add(end.listeners, (notice: Notice) => listener(notice)),
        onDoubt: (listener) => add(end.doubters, () => listener()),
      },
      cut() {
        end.isCut = true;
      },
    };
  }

  #send(to: End, notice: Notice): void {
    const chance = this.#chance;
    const arrive = (): void => {
      if (!to.isCut) tell(to, notice);
    };
    if (chance.isSo(this.losses)) {
      if (chance.isSo(this.doubts)) setTimeout(() => [...to.doubters].forEach((doubt) => void doubt()), 100);
      return;
    }
    if (chance.isSo(this.delays)) setTimeout(arrive, 1 + chance.below(900));
    else arrive();
    if (chance.isSo(0.05)) setTimeout(arrive, 1 + chance.below(2_000));
  }
}

function tell({ listeners }: End, notice: Notice): void {
  for (const listener of [...listeners]) listener(notice);
}
