import { formatServerAddress } from '../../client/address.ts';
import type { WireMessage } from '../../client/connection.ts';
import { ChatError } from '../../core/errors.ts';
import { type CommandContext, command, noOperands } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { TerminalGone } from '../host.ts';
import { isDumb, type Output } from '../output.ts';
import { openPrivateReader } from '../private-reader.ts';
import { createSealer } from '../sealer.ts';
import { type LoggedIn, openSession } from '../session.ts';
import type { Terminal } from '../terminal.ts';
import { addNotice, type ChatState, currentOf, pendingOf, startState } from './chat-state.ts';
import { FullScreen } from './full-screen.ts';
import { LiveChat } from './live-chat.ts';
import { PlainChat } from './plain-chat.ts';
import { painter } from './screen.ts';
import type { Outgoing } from './send-queue.ts';
import { signIn } from './sign-in.ts';

/** While the chat has the screen, nothing may be written beside it and nobody can be asked. */
function withoutPrompts(context: CommandContext, say: (text: string) => void): CommandContext {
  const output: Output = {
    ...context.output,
    note: async (text) => say(text),
    detail: async () => {},
    progress: () => {},
  };
  const { host } = context;
  return { ...context, output, host: { ...host, stdin: { ...host.stdin, isTerminal: false } } };
}

/** How a chat shows itself and hears the person. */
interface Face {
  /** How many messages of each conversation it begins with. */
  readonly firstMessages: number;
  readonly changed: () => void;
  readonly message?: (message: WireMessage) => void;
  readonly refused: (message: Outgoing, why: ChatError) => void;
  readonly say: (text: string) => void;
  /** Says something about what the person has just asked for. */
  readonly hint: (text: string) => void;
  /** Begins to hear the person. */
  start(live: LiveChat): Promise<void> | void;
  close(): void;
}

async function fullScreenFace(
  context: CommandContext,
  terminal: Terminal,
  state: ChatState,
  { onQuit, onGone }: { readonly onQuit: () => void; readonly onGone: () => void },
): Promise<Face> {
  const paint = await painter(context.settings.color);
  let screen: FullScreen | undefined;
  return {
    firstMessages: 50,
    changed: () => screen?.changed(),
    refused: ({ to, text }) => screen?.putBack(to, text),
    say: (text) => {
      addNotice(currentOf(state), text);
      screen?.changed();
    },
    hint: (text) => {
      state.hint = text;
      screen?.changed();
    },
    start: (live) => {
      screen = new FullScreen({
        terminal,
        paint,
        state,
        live,
        now: () => context.host.now(),
        onQuit,
        onGone,
      });
    },
    close: () => screen?.close(),
  };
}

function plainFace(
  context: CommandContext,
  state: ChatState,
  { onQuit, onEnd }: { readonly onQuit: () => void; readonly onEnd: () => void },
): Face {
  const plain = new PlainChat({ host: context.host, state, onQuit, onEnd });
  return {
    // They are read out one by one.
    firstMessages: 10,
    changed: () => plain.changed(),
    message: (message) => plain.message(message),
    refused: ({ to, text }, why) => plain.say(`not sent to ${to}: ${why.message}; it was: ${text}`),
    say: (text) => plain.say(text),
    hint: (text) => plain.say(text),
    start: (live) => plain.run(live),
    close: () => {},
  };
}

/** True for a terminal that cannot be drawn on, or a person who does not want it. */
function isPlain({ host, settings }: CommandContext): boolean {
  return settings.screenReader || isDumb(host.env) || host.terminal === undefined;
}

/** What the person types cannot be read any more. */
class HearingFailed extends Error {
  override readonly name = 'HearingFailed';

  /** Hands on why. */
  constructor(cause: unknown) {
    super('the input failed', { cause });
  }
}

/** How long leaving may take for telling the server what was read, in milliseconds. */
const lastWordsMs = 500;

/** Chats until the person leaves; throws what no new connection cures. */
async function chatUntilLeft(context: CommandContext, first: LoggedIn, state: ChatState): Promise<void> {
  const left = new AbortController();
  const signal = AbortSignal.any([context.signal, left.signal]);
  let hasAsked = false;
  let live: LiveChat | undefined;
  let hasInputEnded = false;
  const unsent = (): string => (live?.unsent === 1 ? '1 message is' : `${live?.unsent} messages are`);
  const leave = (): void => {
    const told = live?.tellRead(lastWordsMs);
    void Promise.resolve(told).finally(() => left.abort());
  };
  const onQuit = (): void => {
    if ((live?.unsent ?? 0) === 0 || hasAsked) {
      leave();
      return;
    }
    hasAsked = true;
    face.hint(`${unsent()} not sent yet; leave again to drop what is not sent`);
  };
  // Nobody can ask again: what was typed is sent first.
  const onEnd = (): void => {
    hasInputEnded = true;
    if ((live?.unsent ?? 0) === 0) leave();
    else face.hint(`${unsent()} not sent yet; this ends when all is sent, and Ctrl-C ends it now`);
  };
  const onChange = (): void => {
    face.changed();
    if (live?.unsent !== 0) return;
    if (hasAsked) face.hint('all is sent');
    hasAsked = false;
    if (hasInputEnded) leave();
  };
  const { terminal } = context.host;
  const face: Face =
    isPlain(context) || terminal === undefined
      ? plainFace(context, state, { onQuit, onEnd })
      : await fullScreenFace(context, terminal, state, {
          onQuit,
          onGone: () => left.abort(new TerminalGone()),
        });
  const quiet = withoutPrompts(context, (text) => face.say(text));
  const inChat = { ...quiet, signal };
  const reader = openPrivateReader(inChat, () => state.username);
  live = new LiveChat({
    context: inChat,
    state,
    sealer: createSealer(inChat, 'refused'),
    reader,
    first,
    firstMessages: face.firstMessages,
    signal,
    onChange,
    onRefused: (message, why) => face.refused(message, why),
    ...(face.message === undefined ? {} : { onMessage: face.message }),
  });
  try {
    const hearing = Promise.resolve(face.start(live));
    hearing.catch((error: unknown) => left.abort(new HearingFailed(error)));
    await live.run();
    const { reason } = left.signal;
    if (reason instanceof TerminalGone) throw reason;
    if (reason instanceof HearingFailed) throw reason.cause;
  } finally {
    face.close();
    await reader.close();
    await context.host.stdout.flush();
  }
  if (live.unsent > 0) {
    const what = live.unsent === 1 ? '1 typed message' : `${live.unsent} typed messages`;
    throw new ChatError('unavailable', `the server has not said that it has stored ${what}`);
  }
}

/** A context whose talk is kept too: a screen is about to be drawn over it, and much of it is shown this once, a recovery key above all. */
function remembering(context: CommandContext, said: string[]): CommandContext {
  const { output, settings } = context;
  const log = async (text: string): Promise<void> => {
    said.push(text);
    await output.log(text);
  };
  const note = async (text: string): Promise<void> => {
    if (!settings.quiet) said.push(text);
    await output.note(text);
  };
  return { ...context, output: { ...output, log, note } };
}

/** The interactive mode: what `chat` alone is at a terminal. */
export const interactive = command({
  usage: [''],
  description: 'Signs in or registers by prompts, then shows a live chat.',
  options: {},
  operands: noOperands,
  examples: [['chat', 'chats']],
  async run(_args, context) {
    let state: ChatState | undefined;
    let at = context;
    let hasEnded = false;
    for (;;) {
      const said: string[] = [];
      const signedIn = await signIn(remembering(at, said), hasEnded, (text) => said.push(text));
      if (signedIn === undefined) return exitOk;
      at = { ...signedIn, output: context.output };
      try {
        const first = await openSession(at);
        const server = formatServerAddress(at.settings.server);
        if (state?.username !== first.username || state.server !== server) {
          const dropped = state === undefined ? 0 : pendingOf(state).length;
          if (dropped > 0)
            await context.output.note(`not sent, as somebody else signed in: ${dropped} typed messages`);
          state = startState(first.username, server);
        }
        for (const text of said) addNotice(currentOf(state), text);
        await chatUntilLeft(at, first, state);
        return exitOk;
      } catch (error) {
        const isOver = error instanceof ChatError && error.code === 'unauthenticated';
        if (!isOver || context.host.env.CHAT_TOKEN !== undefined) throw error;
        // Signed in again, the person finds the line that was being typed.
        await context.output.note(error.message);
        hasEnded = true;
      }
    }
  },
});
