/** The protocol's version: it grows when a client of the one before would misunderstand what comes. */
export const protocolVersion = 1;

/** What a ping is answered with: the server's clock, so that a client can compare its own, and the protocol that it speaks. */
export interface Pong {
  /** RFC 3339, UTC, milliseconds. */
  readonly time: string;
  readonly protocol: number;
}

/** The answer to a ping at `now`, UTC milliseconds. */
export function pong(now: number): Pong {
  return { time: new Date(now).toISOString(), protocol: protocolVersion };
}
