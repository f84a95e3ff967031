/** Redis is not there, or does not answer: whoever asked goes on without it. */
export class RedisUnavailable extends Error {
  constructor(cause: string) {
    super(`Redis is not available: ${cause}`);
  }
}
