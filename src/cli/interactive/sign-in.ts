import { formatServerAddress, parseServerAddress } from '../../client/address.ts';
import { ChatError } from '../../core/errors.ts';
import { parseUsername } from '../../core/model/username.ts';
import type { CommandContext } from '../command.ts';
import { BrokenPipe } from '../host.ts';
import { openKnownServers } from '../known-servers.ts';
import { checkStateBeforeLogin, logIn, showStretching } from '../log-in.ts';
import { reportError } from '../output.ts';
import { readPassword } from '../secret.ts';
import { profileOf, withConnection } from '../session.ts';

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
  for (const [name, { server }] of configuration.contexts.saved) names.set(server, `${server} (${name})`);
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
  return await onServer(context, chosen === another ? await askServer(context) : chosen);
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

function onServer(context: CommandContext, server: string): CommandContext {
  return { ...context, settings: { ...context.settings, server: parseServerAddress(server) } };
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
 * With `hasEnded` the saved login is over, and another one is asked for.
 * Undefined when the person would rather leave.
 */
export async function signIn(
  context: CommandContext,
  hasEnded: boolean,
): Promise<CommandContext | undefined> {
  if (context.host.env.CHAT_TOKEN !== undefined) return context;
  const isSignedIn = async (at: CommandContext): Promise<boolean> =>
    (await profileOf(at).load()) !== undefined;
  if (!hasEnded && (await isSignedIn(context))) return context;
  let chosen = hasEnded ? context : await chooseServer(context);
  let isAsked = false;
  for (;;) {
    if ((isAsked || !hasEnded) && (await isSignedIn(chosen))) return chosen;
    const server = formatServerAddress(chosen.settings.server);
    const first = (await canReach(chosen)) ? whenReached : whenNot;
    const question = `You are not logged in to ${server}.`;
    const choice = await context.host.prompts.choose<Choice>(question, [...first, ...always]);
    if (choice === 'leave') return undefined;
    try {
      if (choice === 'server') chosen = onServer(chosen, await askServer(chosen));
      else if (choice !== 'again') {
        await prove(chosen, choice === 'register');
        isAsked = true;
      }
    } catch (error) {
      if (error instanceof BrokenPipe) throw error;
      await tell(chosen, error);
    }
  }
}

/** Asks for name and password, registers when that is wanted, and logs in. */
async function prove(context: CommandContext, isNew: boolean): Promise<void> {
  const { host } = context;
  const username = parseUsername((await host.prompts.text('Username')).trim(), 'username');
  await checkStateBeforeLogin(context);
  const password = await readPassword(context, noFlags, isNew);
  await withConnection(context, async (connection) => {
    if (isNew) {
      await host.client.register(connection, { username, password, onProgress: showStretching(context) });
      context.output.progress(undefined);
    }
    await logIn(context, connection, { username, password, device: undefined, otp: undefined });
  });
}
