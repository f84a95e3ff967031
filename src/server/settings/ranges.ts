/** The most of what is counted: calls, connections, sessions. */
export const million = 1_000_000;

/** The longest life of what is kept, in seconds: ten years. */
export const maxLife = 315_360_000;

/** Milliseconds, as rules have them, in the seconds of a setting. */
export const seconds = (ms: number): number => ms / 1_000;
