import { formatServerAddress, isLoopback, type ServerAddress } from '../client/address.ts';
import type { ServerIdentity } from '../client/connection.ts';
import { ChatError } from '../core/errors.ts';
import { canPrompt, type Host } from './host.ts';
import { type KnownServers, openKnownServers } from './known-servers.ts';
import type { Output } from './output.ts';
import type { Settings, TrustMode } from './settings.ts';

/** What the check of a server's key needs from the command. */
export interface TrustContext {
  readonly host: Host;
  readonly settings: Settings;
  readonly output: Output;
}

function untrusted(message: string): ChatError {
  return new ChatError('untrusted', message);
}

/** Remembers the key; a login pin made under another key goes with it, since the person has accepted the change. */
async function pin(known: KnownServers, server: ServerAddress, fingerprint: string): Promise<void> {
  await known.update(server, ({ logins }) => ({
    fingerprint,
    logins: Object.fromEntries(
      Object.entries(logins).filter(
        ([, login]) => `SHA256:${login.serverKey.replace(/=+$/, '')}` === fingerprint,
      ),
    ),
  }));
}

/** What to do about a key that was not seen before, when nobody said so: ask a person, trust this machine, else refuse. */
async function askAboutUnknown({ host, settings, output }: TrustContext, shown: string): Promise<boolean> {
  if (isLoopback(settings.server.host)) return true;
  if (!canPrompt(host)) return false;
  await output.note(`The key of ${formatServerAddress(settings.server)} is not known: ${shown}`);
  return await host.prompts.confirm('Is this the fingerprint that `chat serve` printed there?');
}

async function acceptsUnknown(
  context: TrustContext,
  mode: TrustMode | undefined,
  shown: string,
): Promise<boolean> {
  if (mode === undefined) return await askAboutUnknown(context, shown);
  return mode !== 'never';
}

/** What is known of the key that a server shows. */
export type KeyJudgement =
  /** It is the one that `--fingerprint` names, and `isRemembered` when it is pinned too. */
  | { readonly kind: 'expected'; readonly isRemembered: boolean }
  /** `--fingerprint` names another. */
  | { readonly kind: 'unexpected'; readonly expected: string }
  | { readonly kind: 'trusted-by-system' }
  | { readonly kind: 'remembered' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'changed'; readonly pinned: string };

/** Looks a server's key up as SSH does (security 2), and decides and changes nothing. */
export async function judgeKey(
  { host, settings }: Pick<TrustContext, 'host' | 'settings'>,
  identity: ServerIdentity,
): Promise<KeyJudgement> {
  const { server, fingerprint } = settings;
  if (fingerprint !== undefined && fingerprint !== identity.fingerprint)
    return { kind: 'unexpected', expected: fingerprint };
  if (identity.trustedBySystem) return { kind: 'trusted-by-system' };
  const pinned = (await openKnownServers(host).load(server)).fingerprint;
  const isRemembered = pinned === identity.fingerprint;
  if (fingerprint !== undefined) return { kind: 'expected', isRemembered };
  if (isRemembered) return { kind: 'remembered' };
  return pinned === undefined ? { kind: 'unknown' } : { kind: 'changed', pinned };
}

/** The `untrusted` of a key that is not the one that `--fingerprint` names. */
export function unexpectedKey(server: ServerAddress, shown: string, expected: string): ChatError {
  return untrusted(`${formatServerAddress(server)} shows the key ${shown}, not the expected ${expected}`);
}

/** The `untrusted` of a key that is not the remembered one. */
export function changedKey(host: Host, server: ServerAddress, shown: string, pinned: string): ChatError {
  return untrusted(
    `the key of ${formatServerAddress(server)} has changed: ${openKnownServers(host).path} has ${pinned}, the server shows ${shown}; ` +
      `somebody may be in between. If its operator confirms the new key, pass --fingerprint ${shown} once`,
  );
}

/** The `untrusted` of a key that nobody has vouched for. */
export function unknownKey(server: ServerAddress, shown: string): ChatError {
  return untrusted(
    `the key of ${formatServerAddress(server)} is not known: ${shown}; compare it with what \`chat serve\` printed there, then pass --fingerprint ${shown}`,
  );
}

/**
 * Judges a server's key as SSH does (security 2): one that the system trusts passes, then one that is pinned; an unknown
 * one depends on `--fingerprint`, `--trust` and the person; a changed one is refused. Throws `untrusted` (exit 9).
 */
export async function checkIdentity(context: TrustContext, identity: ServerIdentity): Promise<void> {
  const { host, settings, output } = context;
  const { server, trust } = settings;
  const shown = identity.fingerprint;
  const address = formatServerAddress(server);
  const known = openKnownServers(host);
  const judgement = await judgeKey(context, identity);
  switch (judgement.kind) {
    case 'trusted-by-system':
    case 'remembered':
      return;
    case 'unexpected':
      throw unexpectedKey(server, shown, judgement.expected);
    case 'expected':
      if (!judgement.isRemembered) await pin(known, server, shown);
      return;
    case 'changed':
      if (trust !== 'always') throw changedKey(host, server, shown, judgement.pinned);
      await output.note(
        `warning: the key of ${address} has changed from ${judgement.pinned} to ${shown}; trusted as asked`,
      );
      await pin(known, server, shown);
      return;
    case 'unknown':
      if (!(await acceptsUnknown(context, trust, shown))) throw unknownKey(server, shown);
      await pin(known, server, shown);
      await output.note(`trusting ${address} from now on: ${shown}`);
  }
}
