import type { Connection } from '../client/connection.ts';
import { ChatError } from '../core/errors.ts';
import type { Username } from '../core/model/username.ts';
import type { CommandContext } from './command.ts';
import { openKeyStore } from './key-store.ts';
import { hasRecoveryKey } from './recovery-file.ts';
import { recoveryAtLogin } from './recovery-key.ts';
import { rewrapBackup } from './rewrap-backup.ts';

/** Who has just logged in. */
export interface KeysRequest {
  readonly username: Username;
  /** Undefined for a login with a certificate, which opens no backup. */
  readonly password: string | undefined;
  readonly realm: string;
  /** A file for the recovery key. */
  readonly recoveryFile: string | undefined;
}

/**
 * Sees to it that this machine has the keys of the account that has just logged in (security 5), and shows the recovery key of new ones
 * this once. What goes wrong with them is said and is no reason not to be logged in, but for `untrusted` and a recovery key that is not the
 * account's, which are thrown.
 */
export async function setUpKeysAtLogin(
  context: CommandContext,
  connection: Connection,
  request: KeysRequest,
): Promise<void> {
  try {
    await setUp(context, connection, request);
  } catch (error) {
    if (!(error instanceof ChatError) || error.code === 'untrusted' || error.code === 'invalid') throw error;
    if (error.code === 'unsupported') return;
    await context.output.note(
      `warning: the keys of private messages were not set up: ${error.message}; chat login tries again`,
    );
  }
}

async function setUp(context: CommandContext, connection: Connection, request: KeysRequest): Promise<void> {
  const { host, output, settings } = context;
  const { username, password, realm, recoveryFile } = request;
  const store = openKeyStore(host, { server: settings.server, realm, username });
  const recovery = recoveryAtLogin(context, recoveryFile);
  const keys = await host.client.setUpKeys(connection, {
    owner: { realm, user: username },
    store,
    password,
    recovery,
    askRecoveryKey: recovery.source,
  });
  switch (keys.kind) {
    case 'made':
      await recovery.tellMade();
      return;
    case 'kept':
    case 'restored':
      if (keys.kind === 'restored') await output.note(hereText);
      if (recoveryFile !== undefined && !(await hasRecoveryKey(recoveryFile))) {
        await output.note(
          `${recoveryFile} was not written: the account has its keys already; chat keys backup makes a new recovery key`,
        );
      }
      return;
    case 'recovered':
      await output.note(hereText);
      if (password !== undefined) await rewrapBackup(context, { connection, username }, { store, password });
      return;
    case 'locked': {
      const how =
        password === undefined
          ? 'a certificate opens no backup of their keys; chat keys restore brings them by their recovery key'
          : 'bring their keys with chat keys restore';
      await output.note(
        `old private messages cannot be read here, and none can be sent encrypted: ${how} (in a script: --recovery-file FILE)`,
      );
    }
  }
}

const hereText = 'the keys of your private messages are on this machine now';
