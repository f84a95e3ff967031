import type { CommandContext } from './command.ts';
import { type LoggedIn, profileOf } from './session.ts';

/** Removes the kept login if it is one that was ended, this session's or any of its account's: CHAT_TOKEN may have named another. */
export async function forgetLogin(
  context: CommandContext,
  session: LoggedIn,
  everywhere: boolean,
): Promise<void> {
  const profile = profileOf(context);
  await profile.locked(async () => {
    const kept = await profile.load();
    const isEnded = everywhere
      ? kept?.username === session.username
      : kept?.session_token === session.sessionToken;
    if (isEnded) await profile.remove();
  });
}
