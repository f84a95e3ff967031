/** What starts a program, without its flags: `node dist/chat.mjs serve` for the real server. */
export type CommandLine = readonly [string, ...string[]];

/** A campaign's course: the same seed makes the same choices, though not the same moments. */
export interface Course {
  readonly trials: number;
  readonly seed: number;
  readonly server: CommandLine;
  /** What starts a client: `node dist/chat.mjs`. */
  readonly client: CommandLine;
  /** The kinds of faults with these words in their name alone, of which there is one. */
  readonly only?: string;
  /** Told after each trial what it came to; how many it is told of when they are short and many. */
  readonly onTrial?: (line: string, trials?: number) => void;
}

/** What a campaign came to. */
export interface CampaignResult {
  readonly trials: number;
  /** What was done, by what it is: `messages acknowledged`. */
  readonly counts: Readonly<Record<string, number>>;
  /** Each promise that was broken, as a sentence; empty when all were kept. */
  readonly broken: readonly string[];
}

/** One kind of fault, over and over. */
export interface Campaign {
  /** In a few words, for the list. */
  readonly about: string;
  /** Trials of a long run, unless it is told. */
  readonly trials: number;
  /** The names of its kinds of faults, when it has several. */
  readonly kinds?: readonly string[];
  /** True for one whose choices are not the seed's: none is told. */
  readonly isSeedless?: true;
  run(course: Course): Promise<CampaignResult>;
}

/** The last line of a run: `sigkill: 20 trials, 4,711 messages acknowledged, 0 failures, seed 7`. */
export function reportLine(
  name: string,
  { trials, counts, broken }: CampaignResult,
  seed: number | undefined,
): string {
  const done = Object.entries(counts).map(([what, count]) => `${count.toLocaleString('en')} ${what}`);
  const parts = [`${trials} trials`, ...done, `${broken.length} failures`, ...seedWords(seed)];
  return `${name}: ${parts.join(', ')}`;
}

/** How a seed is told, where there is one. */
export function seedWords(seed: number | undefined): string[] {
  return seed === undefined ? [] : [`seed ${seed}`];
}
