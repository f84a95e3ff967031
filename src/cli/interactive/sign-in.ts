import { formatServerAddress, parseServerAddress } from '../../client/address.ts';
import { ChatError } from '../../core/errors.ts';
import { parseUsername, type Username } from '../../core/model/username.ts';
import type { CommandContext } from '../command.ts';
import type { Origin } from '../configuration.ts';
import { type Contexts, defaultContext, updateContexts } from '../contexts.ts';
import { BrokenPipe } from '../host.ts';
import { inviteFrom } from '../invite.ts';
import { openKnownServers } from '../known-servers.ts';
import { checkStateBeforeLogin, logIn, warnOf } from '../log-in.ts';
import { reportError } from '../output.ts';
import { readPassword } from '../secret.ts';
import { profileOf, withConnection } from '../session.ts';
import { showStretching } from '../stretching.ts';
import { acceptTerms } from '../terms.ts';

/** No password flag: it comes from CHAT_PASSWORD or is asked for. */
const noFlags = { 'password-stdin': false, 'password-file': undefined, password: undefined } as const;

/** What stands for a server that is not in the list. */
const another = '';

/** Asks which server, unless a setting says it; the ones that were met before are there to choose from. */
async function chooseServer(context: CommandContext): Promise<CommandContext> {
  const { settings, configuration, host } = context;
  const isSaid = configuration.values.some(
    ({ key, origin }) => key === 'server' && origin.kind !== 'default',
  );
  if (isSaid) return context;
  const names = new Map<string, string>();
  const { saved } = configuration.contexts;
  for (const [name, { server }] of saved) names.set(server, `${server} (${name})`);
  for (const server of await openKnownServers(host).list()) if (!names.has(server)) names.set(server, server);
  const local = formatServerAddress(settings.server);
  if (!names.has(local)) names.set(local, `${local} (this machine)`);
  const chosen =
    names.size === 1
      ? local
      : await host.prompts.choose('Which server?', [
          ...[...names].map(([value, name]) => ({ name, value })),
          { name: 'another one', value: another },
        ]);
  return onServer(context, chosen === another ? await askServer(context) : chosen);
}

async function askServer(context: CommandContext): Promise<string> {
  for (;;) {
    const given = (await context.host.prompts.text('Server (HOST:PORT)')).trim();
    try {
      return formatServerAddress(parseServerAddress(given));
    } catch (error) {
      await tell(context, error);
    }
  }
}

/** At a server that has a name, the login is the one of that name. */
function onServer(context: CommandContext, server: string): CommandContext {
  const { configuration, settings } = context;
  const isNamed = configuration.values.some(({ key, origin }) => key === 'context' && isGiven(origin));
  const name = isNamed ? undefined : nameOf(configuration.contexts.saved, server);
  return {
    ...context,
    settings: { ...settings, server: parseServerAddress(server), context: name ?? settings.context },
  };
}

/** Said for this run alone: what is saved changes nothing about it. */
const isGiven = ({ kind }: Origin): boolean => kind === 'flag' || kind === 'environment';

function nameOf(saved: Contexts['saved'], server: string): string | undefined {
  return [...saved].find(([, one]) => one.server === server)?.[0];
}

/** A name that no other server has: the host's, in the letters that a name may have. */
function newName(saved: Contexts['saved'], server: string): string {
  const { host } = parseServerAddress(server);
  const base =
    host
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '')
      .slice(0, 28) || 'server';
  const free = (name: string): boolean => !saved.has(name) && name !== defaultContext;
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? base : `${base}-${number}`;
    if (free(name)) return name;
  }
}

/**
 * Offers to use a server from now on that the settings do not lead to; answers the context to log in under, and whether it
 * is to be saved and selected then.
 */
async function offerToKeep(
  context: CommandContext,
  configured: string,
): Promise<{ readonly at: CommandContext; readonly isKept: boolean }> {
  const { configuration, settings, host } = context;
  const server = formatServerAddress(settings.server);
  const isFixed = configuration.values.some(
    ({ key, origin }) => (key === 'server' || key === 'context') && isGiven(origin),
  );
  if (isFixed || server === configured) return { at: context, isKept: false };
  if (!(await host.prompts.confirm(`Use ${server} from now on, in other commands too?`)))
    return { at: context, isKept: false };
  const { saved } = configuration.contexts;
  // A context that leads nowhere yet is the one that commands use without being told.
  const free = saved.has(settings.context) ? newName(saved, server) : settings.context;
  const name = nameOf(saved, server) ?? free;
  return { at: { ...context, settings: { ...settings, context: name } }, isKept: true };
}

/** Saves the server under the context's name, and selects that. */
async function keep({ host, settings, output }: CommandContext): Promise<void> {
  const { context: name } = settings;
  const server = formatServerAddress(settings.server);
  await updateContexts(host, ({ saved }) => ({
    selected: name,
    saved: new Map([...saved, [name, { server }]]),
  }));
  await output.note(`context ${name} is ${server}, and is selected`);
}

/** Says what went wrong, so that the person can try again; what is no error of theirs goes on being thrown. */
async function tell({ host, settings }: CommandContext, error: unknown): Promise<void> {
  if (!(error instanceof ChatError)) throw error;
  await reportError(host, settings, error);
}

/** What a person may do who is not logged in. */
type Choice = 'log-in' | 'register' | 'again' | 'server' | 'leave';

const whenReached = [
  { name: 'log in', value: 'log-in' },
  { name: 'create an account', value: 'register' },
] as const satisfies readonly { name: string; value: Choice }[];
const whenNot = [{ name: 'try again', value: 'again' }] as const;
const always = [
  { name: 'another server', value: 'server' },
  { name: 'leave', value: 'leave' },
] as const;

/** Finds out whether the server can be reached and is the right one, before anything is typed for it. */
async function canReach(context: CommandContext): Promise<boolean> {
  try {
    await withConnection(context, async () => {});
    return true;
  } catch (error) {
    await tell(context, error);
    return false;
  }
}

/**
 * Makes sure that somebody is logged in, asking as often as it takes; answers the context with the server that was chosen.
 * With `hasEnded` the saved login is over, and another one is asked for. What goes wrong after a login, which is with its keys, is handed to
 * `remember` too: the chat is about to take the screen.
 * Undefined when the person would rather leave.
 */
export async function signIn(
  context: CommandContext,
  hasEnded: boolean,
  remember: (text: string) => void,
): Promise<CommandContext | undefined> {
  if (context.host.env.CHAT_TOKEN !== undefined) return context;
  const isSignedIn = async (at: CommandContext): Promise<boolean> =>
    (await profileOf(at).load()) !== undefined;
  if (!hasEnded && (await isSignedIn(context))) return context;
  const configured = formatServerAddress(context.settings.server);
  let { at: chosen, isKept } = hasEnded
    ? { at: context, isKept: false }
    : await offerToKeep(await chooseServer(context), configured);
  let isAsked = false;
  for (;;) {
    if ((isAsked || !hasEnded) && (await isSignedIn(chosen))) {
      if (isKept) await keep(chosen);
      return chosen;
    }
    const server = formatServerAddress(chosen.settings.server);
    const first = (await canReach(chosen)) ? whenReached : whenNot;
    const question = `You are not logged in to ${server}.`;
    const choice = await context.host.prompts.choose<Choice>(question, [...first, ...always]);
    if (choice === 'leave') return undefined;
    let isLoggedIn = false;
    const onLoggedIn = async (): Promise<void> => {
      isLoggedIn = true;
    };
    try {
      if (choice === 'server') {
        const other = onServer(context, await askServer(chosen));
        ({ at: chosen, isKept } = await offerToKeep(other, configured));
        isAsked = true;
      } else if (choice !== 'again') {
        await prove(chosen, { isNew: choice === 'register', onLoggedIn });
        isAsked = true;
      }
    } catch (error) {
      if (error instanceof BrokenPipe) throw error;
      await tell(chosen, error);
      if (!isLoggedIn || !(error instanceof ChatError)) continue;
      remember(`your private messages: ${error.message}`);
      isAsked = true;
    }
  }
}

/** How somebody logs in here. */
interface Proving {
  readonly isNew: boolean;
  /** Told before the keys are set up, which can still fail. */
  readonly onLoggedIn: () => Promise<void>;
}

/** Asks for the name, and logs in by the certificate that is kept for it; else asks for the password, and registers when that is wanted. */
async function prove(context: CommandContext, { isNew, onLoggedIn }: Proving): Promise<void> {
  const { host } = context;
  const username = parseUsername((await host.prompts.text('Username')).trim(), 'username');
  await checkStateBeforeLogin(context);
  if (!isNew && (await isProvenByCertificate(context, username, onLoggedIn))) return;
  const password = await readPassword(context, noFlags, isNew);
  await withConnection(context, async (connection) => {
    if (isNew) {
      await host.client.register(connection, {
        username,
        password,
        onProgress: showStretching(context),
        onWarning: warnOf(context),
        askInvite: inviteFrom(host),
        acceptTerms: (terms) => acceptTerms(context, terms, false),
      });
      context.output.progress(undefined);
    }
    await logIn(context, connection, { username, password, device: undefined, otp: undefined, onLoggedIn });
  });
}

/** Logs in by the certificate that is kept here; false when there is none that could, or the server refused it: a password may log in still. */
async function isProvenByCertificate(
  context: CommandContext,
  username: Username,
  whenLoggedIn: Proving['onLoggedIn'],
): Promise<boolean> {
  const { host, settings } = context;
  if (settings.server.scheme !== 'chat') return false;
  const { openCertificateFiles } = await import('../certificate-files.ts');
  const kept = await openCertificateFiles(host, settings.server, username).load();
  if (!kept || host.now() > kept.expiresAt) return false;
  const [{ isRefusedCertificate }, { logInByKept }] = await Promise.all([
    import('../certificate-advice.ts'),
    import('../certificate-login.ts'),
  ]);
  let isLoggedIn = false;
  const onLoggedIn = async () => {
    isLoggedIn = true;
    await whenLoggedIn();
  };
  try {
    await logInByKept(context, { username, device: undefined, otp: undefined, onLoggedIn });
    return true;
  } catch (error) {
    if (isLoggedIn || !isRefusedCertificate(error)) throw error;
    await tell(context, error);
    return false;
  }
}
