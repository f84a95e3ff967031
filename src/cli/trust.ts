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

/**
 * Judges a server's key as SSH does (security 2): one that the system trusts passes, then one that is pinned; an unknown
 * one depends on `--fingerprint`, `--trust` and the person; a changed one is refused. Throws `untrusted` (exit 9).
 */
export async function checkIdentity(context: TrustContext, identity: ServerIdentity): Promise<void> {
  const { settings, output } = context;
  const { server, trust, fingerprint } = settings;
  const shown = identity.fingerprint;
  const address = formatServerAddress(server);
  if (fingerprint !== undefined && fingerprint !== shown) {
    throw untrusted(`${address} shows the key ${shown}, not the expected ${fingerprint}`);
  }
  if (identity.trustedBySystem) return;
  const known = openKnownServers(context.host);
  const pinned = (await known.load(server)).fingerprint;
  if (pinned === shown) return;
  if (fingerprint !== undefined) {
    await pin(known, server, shown);
    return;
  }
  if (pinned !== undefined) {
    if (trust === 'always') {
      await output.note(
        `warning: the key of ${address} has changed from ${pinned} to ${shown}; trusted as asked`,
      );
      await pin(known, server, shown);
      return;
    }
    throw untrusted(
      `the key of ${address} has changed: ${known.path} has ${pinned}, the server shows ${shown}; somebody may be in between. ` +
        `If its operator confirms the new key, pass --fingerprint ${shown} once`,
    );
  }
  if (!(await acceptsUnknown(context, trust, shown))) {
    throw untrusted(
      `the key of ${address} is not known: ${shown}; compare it with what \`chat serve\` printed there, then pass --fingerprint ${shown}`,
    );
  }
  await pin(known, server, shown);
  await output.note(`trusting ${address} from now on: ${shown}`);
}
