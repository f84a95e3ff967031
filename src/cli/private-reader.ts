import { passes, pause } from '../client/backoff.ts';
import type { Caller, Connection } from '../client/connection.ts';
import type { WireMessage } from '../client/frames.ts';
import type { PrivateMessages } from '../client/keys/private-messages.ts';
import { noKeysText } from '../client/no-keys.ts';
import { withOpened } from '../client/with-opened.ts';
import type { CommandContext } from './command.ts';
import { openPrivateMessages } from './sealer.ts';
import { callTimeoutMs, openSession } from './session.ts';

/** Opens the private messages of an account, for whatever shows them. */
export interface PrivateReader {
  /**
   * A message as it is to be shown: an encrypted one with its text, or without it and with the reason; any other as it is. Throws what a
   * connection throws that keys could not be asked for on.
   */
  open(message: WireMessage): Promise<WireMessage>;
  /** How many did not hold. */
  readonly failed: number;
  close(): Promise<void>;
}

/** So often is a lookup tried that fails on its way, unless told, and so long is waited between, in milliseconds. */
const usualTries = 3;
const pauseMs = 1_000;

/**
 * Opens messages with the keys of `username` on this machine. Keys of others are asked for on a connection of its own: one that messages
 * come on may be left unread while the one before is opened. Nothing is loaded before there is an envelope.
 */
export function openPrivateReader(
  context: CommandContext,
  username: () => string,
  tries = usualTries,
): PrivateReader {
  let connection: Connection | undefined;
  let opening: { readonly of: string; readonly messages: Promise<PrivateMessages | undefined> } | undefined;
  let failed = 0;

  /** Made when it is called for. */
  const lookups: Caller = {
    server: context.settings.server,
    async call(name, params) {
      connection ??= (await openSession(context)).connection;
      return await connection.call(name, params, { timeoutMs: callTimeoutMs });
    },
    async close() {
      const ended = connection;
      connection = undefined;
      await ended?.close();
    },
  };

  async function messagesOf(of: string): Promise<PrivateMessages | undefined> {
    if (opening?.of !== of) opening = { of, messages: openPrivateMessages(context, lookups, of) };
    const messages = await opening.messages;
    // Somebody may bring them while this goes on.
    if (!messages) opening = undefined;
    return messages;
  }

  async function unseal(message: WireMessage & { readonly envelope: string }): Promise<WireMessage> {
    const messages = await messagesOf(username());
    if (!messages) return { ...message, unsealed: { kind: 'locked', why: noKeysText } };
    const opened = await messages.open(message);
    // The next message is opened with the keys that are here then.
    if (opened.kind === 'locked' && opened.by !== 'replaced') opening = undefined;
    if (opened.kind === 'failed') failed += 1;
    return withOpened(message, opened);
  }

  const { signal } = context;
  const cut = () => void lookups.close();
  signal.addEventListener('abort', cut);

  return {
    get failed() {
      return failed;
    },
    async open(message) {
      const { envelope } = message;
      // In a room nothing is encrypted: what looks so there is shown as it is.
      if (envelope === undefined || !message.to.startsWith('@')) return message;
      for (let left = tries; ; left -= 1) {
        try {
          return await unseal({ ...message, envelope });
        } catch (error) {
          await lookups.close();
          if (left === 1 || !passes(error) || signal.aborted) throw error;
          await context.output.detail(`trying again: ${error.message}`);
          await pause(pauseMs, signal);
        }
      }
    },
    async close() {
      signal.removeEventListener('abort', cut);
      await lookups.close();
    },
  };
}
