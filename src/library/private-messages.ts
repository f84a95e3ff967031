import { hostname } from 'node:os';
import { homeDirectory } from '../cli/home-directory.ts';
import type { FilesHost } from '../cli/host.ts';
import { openKeyStore } from '../cli/key-store.ts';
import { pinOf, realmOf } from '../cli/known-servers.ts';
import type { ServerAddress } from '../client/address.ts';
import type { Caller } from '../client/connection.ts';
import type { WireMessage } from '../client/frames.ts';
import type { PrivateMessages } from '../client/keys/private-messages.ts';
import type { LoginPin } from '../client/login.ts';
import { noKeysText } from '../client/no-keys.ts';
import type { Body } from '../client/outbox.ts';
import { withOpened } from '../client/with-opened.ts';
import { ChatError } from '../core/errors.ts';
import type { Username } from '../core/model/username.ts';

/** How long the keys of this account are believed to be those of their file, in milliseconds: other processes change it. */
const readGoodForMs = 5_000;

const withoutKeysText =
  'private messages are encrypted with the keys that { keys: true } takes from this machine';

/** Seals and opens what is between two people, as far as this program has the keys. */
export interface PrivateKeys {
  /** Throws `untrusted` for what cannot be encrypted and may not go in clear. */
  seal(to: string, text: string, allowClear: boolean): Promise<Body>;
  /** An encrypted message as its reader gets it; any other as it is. */
  open(message: WireMessage): Promise<WireMessage>;
}

function thisMachine(): FilesHost {
  return {
    env: process.env,
    platform: process.platform,
    homeDirectory: homeDirectory(),
    hostName: hostname(),
    processId: process.pid,
    userId: process.getuid?.(),
  };
}

/** What the server showed at the account's last login on this machine with a password. */
export function pinOnThisMachine(server: ServerAddress, username: string): Promise<LoginPin | undefined> {
  return pinOf(thisMachine(), server, username);
}

function inClear(text: string, why: string, allowClear: boolean): Body {
  if (allowClear) return { text };
  throw new ChatError('untrusted', `${why}; { allowClear: true } sends it so that the server can read it`);
}

/** Of a program that takes no keys: what is encrypted stays so, and nothing can be encrypted. */
export const noKeys: PrivateKeys = {
  seal: async (_to, text, allowClear) => inClear(text, withoutKeysText, allowClear),
  async open(message) {
    if (message.envelope === undefined || !message.to.startsWith('@')) return message;
    return { ...message, unsealed: { kind: 'locked', why: withoutKeysText } };
  },
};

/** The keys that `chat` has put on this machine for whoever `username` answers; others' are asked for by `caller`. */
export function keysOnThisMachine(caller: Caller, username: () => string): PrivateKeys {
  const host = thisMachine();
  let here: { readonly record: string; readonly messages: PrivateMessages } | undefined;
  let readAt = Number.NEGATIVE_INFINITY;

  /** Undefined where there are none. */
  async function messagesHere(): Promise<PrivateMessages | undefined> {
    if (here && Date.now() - readAt < readGoodForMs) return here.messages;
    const { server } = caller;
    const realm = await realmOf(host, server, username());
    if (realm === undefined) return undefined;
    const store = openKeyStore(host, { server, realm, username: username() });
    const own = await store.load();
    readAt = Date.now();
    if (!own) return undefined;
    // What is remembered of envelopes that were seen stays for as long as the keys do.
    if (here?.record === own.record.text) return here.messages;
    const [{ createPrivateMessages }, { createKnownKeys }] = await Promise.all([
      import('../client/keys/private-messages.ts'),
      import('../client/keys/known-keys.ts'),
    ]);
    here = {
      record: own.record.text,
      messages: createPrivateMessages(own, createKnownKeys(caller, own, store)),
    };
    return here.messages;
  }

  return {
    async seal(to, text, allowClear) {
      const messages = await messagesHere();
      if (!messages) return inClear(text, noKeysText, allowClear);
      const name = to.slice(1) as Username;
      const sealed = await messages.seal(name, text);
      if (sealed) return { envelope: sealed.envelope };
      return inClear(text, `${name} has no keys to encrypt for: they come with a login by chat`, allowClear);
    },
    async open(message) {
      const { envelope } = message;
      if (envelope === undefined || !message.to.startsWith('@')) return message;
      const messages = await messagesHere();
      if (!messages) return { ...message, unsealed: { kind: 'locked', why: noKeysText } };
      const opened = await messages.open({ ...message, envelope });
      if (opened.kind === 'locked') readAt = Number.NEGATIVE_INFINITY;
      return withOpened({ ...message, envelope }, opened);
    },
  };
}
