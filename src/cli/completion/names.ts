import type { Connection } from '../../client/connection.ts';
import { pages } from '../../client/pages.ts';
import { parseConversationName } from '../../core/model/conversation-name.ts';
import type { CommandContext } from '../command.ts';
import { settleConfiguration } from '../configuration.ts';
import { defaultContext, loadContexts } from '../contexts.ts';
import { openProfile } from '../profile.ts';
import { findLogins } from '../saved-logins.ts';
import { connectTo } from '../session.ts';
import type { Candidate, NameSource, TypedFlags } from './candidates.ts';

/** A person who pressed Tab waits so long for a server, in milliseconds. */
const namesWithinMs = 1_000;

/** What a server calls a room or a user goes onto a command line only when it is a name. */
function isName(word: string): boolean {
  try {
    parseConversationName(word);
    return true;
  } catch {
    return false;
  }
}

type Ask = (connection: Connection, tell: (candidate: Candidate) => void) => Promise<void>;

const askRooms: Ask = async (connection, tell) => {
  const fetch = (cursor: { readonly after?: string }) =>
    connection.call('room.list', { ...cursor, limit: 1_000 }, { timeoutMs: namesWithinMs });
  for await (const page of pages(fetch)) {
    for (const { room, members, member } of page.rooms) {
      const count = members === 1 ? '1 member' : `${members} members`;
      tell({ word: room, describe: member ? `${count}, you are in it` : count });
    }
  }
};

const askUsers: Ask = async (connection, tell) => {
  const fetch = (cursor: { readonly after?: string }) =>
    connection.call('user.list', { all: true, ...cursor }, { timeoutMs: namesWithinMs });
  for await (const page of pages(fetch)) {
    for (const { username, online } of page.users)
      tell({ word: `@${username}`, describe: online ? 'online' : 'offline' });
  }
};

/**
 * The login as it is kept, never refreshed: a refresh that is cut off by the time limit would lose the login. Undefined
 * without one.
 */
async function keptToken(context: CommandContext): Promise<string | undefined> {
  const { host, settings } = context;
  const given = host.env.CHAT_TOKEN;
  if (given !== undefined) return given;
  return (await openProfile(host, settings.server, settings.context).load())?.session_token;
}

/** Logs in without a word to anybody: only a server whose key is known already is asked, and no key is remembered. */
async function openQuietly(
  context: CommandContext,
  flags: TypedFlags,
  signal: AbortSignal,
): Promise<Connection | undefined> {
  const { settings, problems } = await settleConfiguration(flags, context.host, true);
  if (problems.length > 0) return undefined;
  const quiet: CommandContext = {
    ...context,
    settings: { ...settings, trust: 'never', fingerprint: undefined },
    signal,
  };
  const token = await keptToken(quiet);
  if (token === undefined) return undefined;
  const connection = await connectTo(quiet, namesWithinMs);
  signal.addEventListener('abort', () => void connection.close());
  await context.host.client.resume(connection, token);
  return connection;
}

/** The server and this machine as they are. The server is connected to once, and all that it is asked shares one time limit. */
export function systemNames(context: CommandContext): NameSource & { close(): void } {
  const ending = new AbortController();
  const signal = AbortSignal.any([context.signal, ending.signal]);
  let connection: Promise<Connection | undefined> | undefined;
  let timeIsUp: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  async function ask(flags: TypedFlags, asked: Ask): Promise<readonly Candidate[]> {
    timeIsUp ??= new Promise((resolve) => {
      timer = setTimeout(resolve, namesWithinMs);
    });
    connection ??= openQuietly(context, flags, signal);
    const found: Candidate[] = [];
    const answered = connection.then(
      (opened) => opened && asked(opened, (one) => void (isName(one.word) && found.push(one))),
    );
    // No login, no server, an unknown key: nobody asked for an error, so there are just no names.
    await Promise.race([answered.catch(() => {}), timeIsUp]);
    return [...found];
  }

  return {
    rooms: (flags) => ask(flags, askRooms),
    users: (flags) => ask(flags, askUsers),
    async contexts() {
      const { saved } = await loadContexts(context.host).catch(() => ({ saved: new Map() }));
      const logins = await findLogins(context.host).catch(() => []);
      const found = new Map<string, string>();
      for (const { context: name, server } of logins) found.set(name, server);
      for (const [name, { server }] of saved) found.set(name, server);
      if (!found.has(defaultContext)) found.set(defaultContext, 'used when no other is named');
      return [...found]
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([word, describe]) => ({ word, describe }));
    },
    close() {
      clearTimeout(timer);
      ending.abort();
    },
  };
}
