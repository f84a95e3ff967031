import type { Caller, Connection } from '../client/connection.ts';
import type { PrivateMessages } from '../client/keys/private-messages.ts';
import { noKeysText } from '../client/no-keys.ts';
import type { Body, Seal } from '../client/outbox.ts';
import { ChatError } from '../core/errors.ts';
import type { Username } from '../core/model/username.ts';
import type { CommandContext } from './command.ts';
import { keyStoreOf } from './key-store.ts';
import type { LoggedIn } from './session.ts';

/** The flag that lets a private message go in clear. */
export const allowClearOption = {
  'allow-clear': {
    type: 'flag',
    describe:
      'send a private message also when it cannot be encrypted, because its recipient or this machine has no keys: the server can read it then',
  },
} as const;

/** What goes to the server for a text, and how it is marked then: as a reader finds it; undefined for what the server can read. */
export interface Sealed {
  readonly body: Body;
  readonly protection: 'encrypted' | 'verified' | undefined;
}

/** Whether a private text may go in clear: when that was said; and from the outbox only after it was taken out. */
export type ClearRule = 'allowed' | 'refused' | 'refused-in-outbox';

const clearAdvice: Readonly<Record<Exclude<ClearRule, 'allowed'>, string>> = {
  refused: 'chat send --allow-clear sends it so that the server can read it',
  'refused-in-outbox':
    'chat outbox rm ID drops it, and then chat send --allow-clear sends it so that the server can read it',
};

/** Seals private messages for whoever is logged in on a connection. */
export interface Sealer {
  /** Tells whose connection it is; before anything is sealed on it. */
  use(session: Pick<LoggedIn, 'connection' | 'username'>): void;
  /** Seals a text to `to`. Throws `untrusted` (exit 9) for what cannot be encrypted and may not go in clear. */
  seal(connection: Connection, to: string, text: string): Promise<Sealed>;
  /** The same for one conversation; undefined for a room, where nothing is encrypted. */
  sealTo(to: string): Seal | undefined;
}

/** Nothing is loaded before a private message is sealed. */
export function createSealer(context: CommandContext, clear: ClearRule): Sealer {
  const users = new WeakMap<Connection, string>();
  const sealing = new WeakMap<Connection, Promise<PrivateMessages | undefined>>();

  async function seal(connection: Connection, to: string, text: string): Promise<Sealed> {
    if (!to.startsWith('@')) return { body: { text }, protection: undefined };
    const opened = sealing.get(connection) ?? openPrivateMessages(context, connection, users.get(connection));
    sealing.set(connection, opened);
    // Another login, or another process, may have brought them by the next time.
    opened.then((there) => there ?? sealing.delete(connection)).catch(() => sealing.delete(connection));
    const messages = await opened;
    if (!messages) return inClear(text, noKeysText);
    const sealed = await messages.seal(to.slice(1) as Username, text);
    if (!sealed)
      return inClear(text, `${to.slice(1)} has no keys to encrypt for: they come with a login by chat`);
    const { envelope, isVerified } = sealed;
    return { body: { envelope }, protection: isVerified ? 'verified' : 'encrypted' };
  }

  function inClear(text: string, why: string): Sealed {
    if (clear === 'allowed') return { body: { text }, protection: undefined };
    throw new ChatError('untrusted', `${why}; ${clearAdvice[clear]}`);
  }

  return {
    use({ connection, username }) {
      users.set(connection, username);
    },
    seal,
    sealTo: (to) =>
      to.startsWith('@') ? async (connection, text) => (await seal(connection, to, text)).body : undefined,
  };
}

/** Private messages with the keys of `username` on this machine; undefined where there are none. */
export async function openPrivateMessages(
  context: CommandContext,
  connection: Caller,
  username: string | undefined,
): Promise<PrivateMessages | undefined> {
  const store = username === undefined ? undefined : await keyStoreOf(context, username);
  const own = await store?.load();
  if (!store || !own) return undefined;
  const [{ createPrivateMessages }, { createKnownKeys }] = await Promise.all([
    import('../client/keys/private-messages.ts'),
    import('../client/keys/known-keys.ts'),
  ]);
  return createPrivateMessages(own, createKnownKeys(connection, own, store));
}
