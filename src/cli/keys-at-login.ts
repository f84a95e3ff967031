import { passes } from '../client/backoff.ts';
import type { Connection } from '../client/connection.ts';
import type { KeyStore } from '../client/keys/key-file.ts';
import { ChatError } from '../core/errors.ts';
import type { Username } from '../core/model/username.ts';
import type { CommandContext } from './command.ts';
import { freshProof } from './fresh-proof.ts';
import { openKeyStore } from './key-store.ts';
import { recoveryKeeper, recoverySource } from './recovery-key.ts';
import type { LoggedIn } from './session.ts';

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
  const recovery = recoveryKeeper(context, recoveryFile, password === undefined ? 'machine' : 'password');
  const keys = await host.client
    .setUpKeys(connection, {
      owner: { realm, user: username },
      store,
      password,
      keepRecoveryKey: recovery.keep,
      askRecoveryKey: recoverySource(context, recoveryFile),
    })
    .catch(async (error: unknown) => {
      // Whose answer was lost may be stored: then the key is good.
      if (!passes(error)) await recovery.drop();
      throw error;
    });
  if (keys.kind === 'made') await recovery.tellMade();
  else await recovery.drop();
  if (keys.kind === 'restored')
    await output.note('the keys of your private messages are on this machine now');
  if (keys.kind === 'locked') {
    const how =
      password === undefined
        ? 'a certificate opens no backup of their keys; chat keys restore brings them by their recovery key'
        : 'bring their keys with chat keys restore';
    await output.note(`old private messages cannot be read here, and none can be sent encrypted: ${how}`);
  }
  if (keys.kind === 'recovered') {
    await output.note('the keys of your private messages are on this machine now');
    if (password !== undefined) await rewrap(context, { connection, username }, store, password);
  }
}

/** The password has been set anew, and opened nothing: from now on it does again. */
async function rewrap(
  context: CommandContext,
  session: Pick<LoggedIn, 'connection' | 'username'>,
  store: KeyStore,
  password: string,
): Promise<void> {
  const { output } = context;
  const { second_factor: factor, privacy } = await session.connection.call('account.me', {});
  if (privacy === 'open') return;
  try {
    if (factor.on) throw new ChatError('second-factor-required', 'it takes a code');
    const [{ wrapAnew }, { stretchForBackup }] = await Promise.all([
      import('../client/keys/change-keys.ts'),
      import('../client/keys/stretch-password.ts'),
    ]);
    const prove = () => freshProof(context, session, password);
    await wrapAnew(session.connection, {
      store,
      prove,
      password,
      stretch: stretchForBackup,
      recovery: false,
    });
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    await output.note(
      `other machines still ask for the recovery key (${error.message}): chat keys backup lets the password open them again`,
    );
  }
}
