import { scryptSync } from 'node:crypto';
import type { Connection } from '../../../../src/client/connection.ts';
import type { WireMessage } from '../../../../src/client/frames.ts';
import {
  type KeyFile,
  type KeyStore,
  readKeyFile,
  writeKeyFile,
} from '../../../../src/client/keys/key-file.ts';
import { createKnownKeys } from '../../../../src/client/keys/known-keys.ts';
import { createPrivateMessages, type PrivateMessages } from '../../../../src/client/keys/private-messages.ts';
import type { RecoveryKeeper } from '../../../../src/client/keys/recovery-keeper.ts';
import { type SetUpKeys, type SetUpOptions, setUpKeys } from '../../../../src/client/keys/set-up.ts';
import type { ExchangeProof } from '../../../../src/client/prove-again.ts';
import type { PasswordStretch } from '../../../../src/core/e2ee/key-backup.ts';
import { parseUsername } from '../../../../src/core/model/username.ts';
import type { OneTimeCode } from '../../../../src/core/one-time-code.ts';
import type { InputOf, OperationName, OutputOf } from '../../../../src/core/operations/index.ts';
import { challenged, type FakePeer, loggedIn, password, type TestChat } from '../../../core/support/chat.ts';

export const realm = 'chat.example';
/** As the real one, at a cost that a test can pay. */
export const cheapStretch: PasswordStretch = async (secret, salt) =>
  new Uint8Array(scryptSync(secret, salt, 32, { N: 16, r: 8, p: 1 }));

/** What a malicious server makes of an answer, or of its own refusal. */
export type Bend = <N extends OperationName>(name: N, answer: OutputOf<N>, params: InputOf<N>) => unknown;

/** A client's connection to the real core, whose answers a test may bend. */
export function connectionTo(
  t: TestChat,
  peer: FakePeer,
  bend: Bend = (_name, answer) => answer,
): Connection {
  return {
    server: { scheme: 'plain', host: '127.0.0.1', port: 1 },
    async call(name, params) {
      const answer = await t.call(peer, name, params).catch((error: unknown) => ({ refused: error }));
      const shown = bend(name, answer as never, params) as { refused?: unknown };
      if (shown.refused !== undefined) throw shown.refused;
      return shown as never;
    },
    close: async () => {},
  } as Partial<Connection> as Connection;
}

/** A key file in memory, spelled and read as a real one is. */
export function memoryStore(): KeyStore & { text: string | undefined; pending: string | undefined } {
  const read = (text: string | undefined): KeyFile | undefined => {
    if (text === undefined) return undefined;
    const file = readKeyFile(text);
    if (!file) throw new Error('not a key file');
    return file;
  };
  return {
    text: undefined,
    pending: undefined,
    async checkWritable() {},
    async loadPending() {
      return read(this.pending);
    },
    async keepPending(file) {
      this.pending = file && writeKeyFile(file);
    },
    async load() {
      return read(this.text);
    },
    async update(change) {
      const file = await change(read(this.text));
      this.text = writeKeyFile(file);
      return file;
    },
  };
}

/** Keeps a recovery key as a person would, and remembers what was done with it. */
export function keeper(): RecoveryKeeper & { readonly keys: OneTimeCode[]; readonly steps: string[] } {
  const keys: OneTimeCode[] = [];
  const steps: string[] = [];
  return {
    keys,
    steps,
    async keep(key, { opensByPassword }) {
      keys.push(key);
      steps.push(opensByPassword ? 'kept beside the password' : 'kept');
    },
    async drop() {
      steps.push('dropped');
    },
  };
}

/** A device of an account: its connection, its key file and how that was set up. */
export interface Device {
  readonly connection: Connection;
  readonly store: ReturnType<typeof memoryStore>;
  readonly keys: SetUpKeys;
  /** A fresh proof of the password. */
  readonly prove: () => Promise<ExchangeProof>;
  /** Private messages with the keys that are here now. */
  messages(): Promise<PrivateMessages>;
  /** Sends `text` to `to`, sealed; answers the message as the server shows it to this device. */
  send(to: string, text: string): Promise<WireMessage & { envelope: string }>;
  /** The last message of the conversation with `peer`, as the server shows it here. */
  last(peer: string): Promise<WireMessage & { envelope: string }>;
}

/** Logs an account in on a new device, or on one with `store`, and sets its keys up. */
export async function device(
  t: TestChat,
  name: string,
  parts: Partial<SetUpOptions> & {
    store?: ReturnType<typeof memoryStore>;
    bend?: Bend;
    /** A connection on which the account has logged in by another way than its password. */
    peer?: FakePeer;
  } = {},
): Promise<Device> {
  const { bend, store = memoryStore(), peer = await loggedIn(t, name), ...options } = parts;
  const connection = connectionTo(t, peer, bend);
  const prove = async () => {
    const { exchange, proof: message } = await challenged(t, peer, name);
    return { exchange, message };
  };
  const owner = { realm, user: parseUsername(name) };
  const keys = await setUpKeys(connection, {
    owner,
    password,
    stretch: cheapStretch,
    askRecoveryKey: undefined,
    ...options,
    store,
  });
  const messages = async (): Promise<PrivateMessages> => {
    const own = await store.load();
    if (!own) throw new Error('no keys here');
    return createPrivateMessages(own, createKnownKeys(connection, own, store));
  };
  const last = async (peer: string) => {
    const { messages: page } = await connection.call('message.history', {
      to: `@${peer}`,
      limit: 1,
      newest: true,
    });
    const message = page.at(-1);
    if (message?.envelope === undefined) throw new Error('no envelope there');
    return message as WireMessage & { envelope: string };
  };
  return {
    connection,
    store,
    keys,
    prove,
    messages,
    last,
    async send(to, text) {
      const sealed = await (await messages()).seal(parseUsername(to), text);
      if (!sealed) throw new Error(`${to} has no keys`);
      await connection.call('message.send', { to: `@${to}`, envelope: sealed.envelope });
      return await last(to);
    },
  };
}
