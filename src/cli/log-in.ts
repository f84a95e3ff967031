import { dirname } from 'node:path';
import type { Connection } from '../client/connection.ts';
import type { Standing } from '../client/login.ts';
import { ChatError } from '../core/errors.ts';
import type { Username } from '../core/model/username.ts';
import type { CommandContext } from './command.ts';
import type { KeysRequest } from './keys-at-login.ts';
import { checkRealm, openKnownServers, pinOf } from './known-servers.ts';
import { lineTime } from './message-text.ts';
import { codePrompt } from './one-time-code.ts';
import type { SavedLogin } from './profile.ts';
import { callTimeoutMs, profileOf, savedLogin, withConnection } from './session.ts';
import { ensureWritable } from './state-directory.ts';
import { showStretching } from './stretching.ts';

/** Who logs in, and on what. */
export interface LoginRequest {
  readonly username: Username;
  readonly password: string;
  /** The device's label; when left out the one that it has, or this machine's name. */
  readonly device: string | undefined;
  readonly otp: string | undefined;
  /** A file for the recovery key of private messages: written when their keys are made, read when it takes it to open them. */
  readonly recoveryFile?: string | undefined;
  /** Told when somebody is logged in, before the keys are set up. */
  readonly onLoggedIn?: (login: SavedLogin) => Promise<void>;
}

/** Finds out that the login could not be kept, or that the old one is damaged, before the server is asked for a new one. */
export async function checkStateBeforeLogin(context: CommandContext): Promise<SavedLogin | undefined> {
  const profile = profileOf(context);
  await ensureWritable(dirname(profile.path), context.host.userId);
  await openKnownServers(context.host).load(context.settings.server);
  return await profile.load();
}

/** Passes on what is to be said of a new password that the server takes all the same. */
export function warnOf({ output }: CommandContext): (text: string) => void {
  return (text) => void output.note(`warning: ${text}`);
}

/** Says what the owner of an account is to know of it. */
async function tellStanding(
  { output }: CommandContext,
  { erasesAt, hasNewTerms, factorTakenAt }: Standing,
): Promise<void> {
  // Told with --quiet too: whoever took it away may not have been asked to.
  if (factorTakenAt !== undefined) {
    await output.log(
      `an administrator took away the second factor of this account at ${lineTime(factorTakenAt)}: chat totp on sets up another one`,
    );
  }
  if (erasesAt !== undefined) {
    await output.note(
      `this account is to be erased at ${lineTime(erasesAt)}: chat account erase --cancel keeps it`,
    );
  }
  if (hasNewTerms) await output.note('the terms of this server are new: chat account terms shows them');
}

/** Ends the session of the account that was logged in here before; a server that does not mind is no reason to stop. */
async function endReplaced(context: CommandContext, replaced: SavedLogin): Promise<void> {
  try {
    await withConnection(context, async (connection) => {
      await context.host.client.resume(connection, replaced.session_token);
      await connection.call('session.end', {}, { timeoutMs: callTimeoutMs });
    });
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    await context.output.detail(`the session of ${replaced.username} was not ended: ${error.message}`);
  }
}

/** Logs in with the password, asking a person for the second factor when one is required. */
async function proveAndOpen(
  context: CommandContext,
  connection: Connection,
  request: LoginRequest,
  deviceId: string | undefined,
) {
  const { username, password, device, otp } = request;
  const pin = await pinOf(context.host, context.settings.server, username);
  // A name that was given to the device stays, unless this login gives it another.
  const label = device === undefined ? { default_label: context.host.hostName } : { label: device };
  return await context.host.client.login(connection, {
    username,
    password,
    device: deviceId === undefined ? label : { id: deviceId, ...label },
    onProgress: showStretching(context),
    ...(otp === undefined ? {} : { otp }),
    askOtp: codePrompt(context),
    ...(pin === undefined ? {} : { pin }),
  });
}

/**
 * Logs in on `connection`, keeps the session and what the server proved, and ends the session of another account that
 * was kept here. The same account keeps its device. Then its keys are brought here, or made.
 */
export async function logIn(
  context: CommandContext,
  connection: Connection,
  request: LoginRequest,
): Promise<SavedLogin> {
  const before = await profileOf(context).load();
  const deviceId = before?.username === request.username ? before.device_id : undefined;
  const { session, pin, standing } = await proveAndOpen(context, connection, request, deviceId).finally(() =>
    context.output.progress(undefined),
  );
  const login = savedLogin(session, context.host.now());
  await openKnownServers(context.host).update(context.settings.server, (known) => {
    checkRealm(known, { username: login.username, realm: pin.realm });
    return { ...known, logins: { ...known.logins, [login.username]: pin } };
  });
  await keepLogin(context, login, { before, standing });
  await request.onLoggedIn?.(login);
  const { username, password, recoveryFile } = request;
  await setUpKeysOf(context, connection, { username, password, realm: pin.realm, recoveryFile }, standing);
  return login;
}

/** Sees to the keys of whoever has just logged in; an account that is to be erased does nothing more. */
export async function setUpKeysOf(
  context: CommandContext,
  connection: Connection,
  request: KeysRequest,
  standing: Standing | undefined,
): Promise<void> {
  if (standing?.erasesAt !== undefined) return;
  const { setUpKeysAtLogin } = await import('./keys-at-login.ts');
  await setUpKeysAtLogin(context, connection, request);
}

/** Keeps the session of a login in the place of the one `before`, which is ended when it was another account's. */
export async function keepLogin(
  context: CommandContext,
  login: SavedLogin,
  { before, standing }: { readonly before: SavedLogin | undefined; readonly standing?: Standing | undefined },
): Promise<void> {
  const profile = profileOf(context);
  await profile.locked(() => profile.save(login));
  if (before !== undefined && before.username !== login.username) await endReplaced(context, before);
  if (standing) await tellStanding(context, standing);
}
