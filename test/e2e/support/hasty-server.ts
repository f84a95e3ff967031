/**
 * A server that breaks the first promise: it acknowledges a message one commit before it hands it to the store. The real parts are
 * wrapped here; nothing in src can do this.
 */
import { homedir } from 'node:os';
import { parseArgs } from 'node:util';
import type { NewMessage } from '../../../src/core/ports/store/messages.ts';
import { serve } from '../../../src/server/serve.ts';
import { sqliteStore } from '../../../src/server/store/sqlite/store.ts';

const text = { type: 'string' } as const;
const { values: flags } = parseArgs({
  options: {
    listen: text,
    data: text,
    'bcrypt-cost': text,
    'messages-per-second': text,
    'logins-per-minute': text,
  },
});
await serve(
  { flags, env: {}, platform: process.platform, homeDirectory: homedir() },
  { ready: (line) => console.log(line), log: () => {}, claim: () => {} },
  {
    process,
    async openStore(options) {
      const store = await sqliteStore(options);
      const held: NewMessage[] = [];
      const ends = new Map<string, number>();
      return {
        ...store,
        async appendMessage(message) {
          const to = JSON.stringify(message.to);
          const seq = (ends.get(to) ?? 0) + 1;
          ends.set(to, seq);
          held.push(message);
          // What was acknowledged reaches the store only a hundred messages later.
          if (held.length > 100) for (const late of held.splice(0)) void store.appendMessage(late);
          return {
            kind: 'stored',
            conversation: 1 as never,
            audience: { kind: 'room', room: 'lobby' },
            id: message.id,
            seq,
            sentAt: message.sentAt,
          };
        },
      };
    },
  },
);
