/** How often the speed is looked at, in milliseconds … */
const sampleEveryMs = 500;
/** … and over how many of these looks it is taken: the last ten seconds. */
const keptSamples = 20;
/** No speed is told before so much time has passed, in milliseconds. */
const leastSpanMs = 1_000;

interface Sample {
  readonly at: number;
  readonly count: number;
  /** How much is done, in the unit of the whole. */
  readonly done: number;
}

/** `1,234,567`. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `0:07`, `12:05`, `1:00:00`. */
function clock(seconds: number): string {
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60];
  const hours = Math.floor(seconds / 3_600);
  const shown = hours > 0 ? [hours, ...parts] : parts;
  return shown.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}

/** How far work of many parts is, how fast it goes, and how long it will take. */
export class Pace {
  readonly #whole: number | undefined;
  #samples: Sample[] = [];
  #last: Sample;

  /** `whole` is how much there is to do, in bytes or parts; undefined when nobody knows. */
  constructor(whole: number | undefined, doneBefore = 0) {
    this.#whole = whole;
    this.#last = { at: Date.now(), count: 0, done: doneBefore };
    this.#samples.push(this.#last);
  }

  /** `count` parts are done, and `done` of the whole. */
  reached(count: number, done: number): void {
    const at = Date.now();
    this.#last = { at, count, done };
    if (at - (this.#samples.at(-1)?.at ?? 0) < sampleEveryMs) return;
    this.#samples.push(this.#last);
    if (this.#samples.length > keptSamples) this.#samples.shift();
  }

  /** `12,345 sent, 45 %, 9,800/s, 0:12 left`, as much of it as is known. */
  describe(verb: string): string {
    const { at, count, done } = this.#last;
    const words = [`${grouped(count)} ${verb}`];
    const whole = this.#whole ?? 0;
    if (whole > 0) words.push(`${Math.min(100, Math.floor((done / whole) * 100))} %`);
    const [first = this.#last] = this.#samples;
    const spanMs = at - first.at;
    if (spanMs < leastSpanMs) return words.join(', ');
    const perSecond = ((count - first.count) / spanMs) * 1_000;
    words.push(`${perSecond < 10 ? perSecond.toFixed(1) : grouped(Math.round(perSecond))}/s`);
    const donePerSecond = ((done - first.done) / spanMs) * 1_000;
    if (whole > 0 && donePerSecond > 0)
      words.push(`${clock(Math.ceil(Math.max(0, whole - done) / donePerSecond))} left`);
    return words.join(', ');
  }
}
