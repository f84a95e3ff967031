import type { Caller, Connection } from '../client/connection.ts';
import type { PrivateMessages } from '../client/keys/private-messages.ts';
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

/** Seals private messages for whoever is logged in on a connection. */
export interface Sealer {
  /** Tells whose connection it is; before anything is sealed on it. */
  use(session: Pick<LoggedIn, 'connection' | 'username'>): void;
  /** What goes to the server for a text to `to`. Throws `untrusted` (exit 9) for what cannot be encrypted and may not go in clear. */
  seal(connection: Connection, to: string, text: string): Promise<Body>;
  /** The same for one conversation; undefined for a room, where nothing is encrypted. */
  sealTo(to: string): Seal | undefined;
}

/** Nothing is loaded before a private message is sealed. */
export function createSealer(context: CommandContext, allowsClear: boolean): Sealer {
  const users = new WeakMap<Connection, string>();
  const sealing = new WeakMap<Connection, Promise<PrivateMessages | undefined>>();

  async function seal(connection: Connection, to: string, text: string): Promise<Body> {
    if (!to.startsWith('@')) return { text };
    const opened = sealing.get(connection) ?? openPrivateMessages(context, connection, users.get(connection));
    sealing.set(connection, opened);
    // Another login, or another process, may have brought them by the next time.
    opened.then((there) => there ?? sealing.delete(connection)).catch(() => sealing.delete(connection));
    const messages = await opened;
    if (!messages) return inClear(text, 'this machine has no keys to encrypt with: chat login brings them');
    const envelope = await messages.seal(to.slice(1) as Username, text);
    return envelope === undefined
      ? inClear(text, `${to.slice(1)} has no keys to encrypt for: they come with a login by chat`)
      : { envelope };
  }

  function inClear(text: string, why: string): Body {
    if (allowsClear) return { text };
    throw new ChatError(
      'untrusted',
      `${why}; chat send --allow-clear sends it so that the server can read it`,
    );
  }

  return {
    use({ connection, username }) {
      users.set(connection, username);
    },
    seal,
    sealTo: (to) => (to.startsWith('@') ? (connection, text) => seal(connection, to, text) : undefined),
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
