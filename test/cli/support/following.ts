import type { ClientLibrary } from '../../../src/cli/client-library.ts';
import type { WireMessage } from '../../../src/client/connection.ts';

/** How a command called `follow`. */
export type FollowOptions = Parameters<ClientLibrary['follow']>[0];

/** Follows as told, then for ever, until it is stopped. */
export function following(
  messages: readonly WireMessage[],
  { seen = [], starts }: { seen?: FollowOptions[]; starts?: ReadonlyMap<string, number> } = {},
): Partial<ClientLibrary> {
  return {
    async *follow(options) {
      // What the positions are now, not what they become.
      seen.push({ ...options, cursors: options.cursors && new Map(options.cursors) });
      await options.open();
      if (starts) options.onStarts?.(starts);
      options.onState?.({ kind: 'following' });
      for (const one of messages) {
        if (options.signal?.aborted) return;
        yield one;
      }
      await new Promise<void>((resolve) => {
        if (options.signal?.aborted) resolve();
        options.signal?.addEventListener('abort', () => resolve());
      });
    },
  };
}
