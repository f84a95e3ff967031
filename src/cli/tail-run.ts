import type { Connection, WireEvent, WireMessage } from '../client/connection.ts';
import type { FollowState, StartingPoint } from '../client/follow.ts';
import { ChatError } from '../core/errors.ts';
import { accountNoticeText } from './account-notice.ts';
import type { CommandContext } from './command.ts';
import type { DurableCursor } from './durable-cursor.ts';
import { type HandOver, linePrinter } from './hand-over.ts';
import { mergeByTime } from './merge.ts';
import { openPrivateReader, type PrivateReader } from './private-reader.ts';
import { callTimeoutMs, type LoggedIn, openSession } from './session.ts';
import { type Limits, unlessAborted } from './tail-limits.ts';

/** Before every message. */
export const beginningOfTime = '1970-01-01T00:00:00.000Z';

/** A command line of `tail`, checked. */
export interface Plan {
  readonly targets: readonly string[];
  readonly from: StartingPoint;
  readonly durable: string | undefined;
  readonly exec: string | undefined;
  readonly onExecError: 'stop' | 'continue';
  readonly showsOwn: boolean;
  /** False when it ends with what is there. */
  readonly follows: boolean;
}

/** One run of the command. */
export interface Run {
  readonly context: CommandContext;
  readonly plan: Plan;
  readonly limits: Limits;
  readonly progress: Progress;
}

/** How far it came, kept outside so that it is known after a failure too. */
export interface Progress {
  handedOver: number;
  /** True when nothing more was to come: all that was there, or as many as were asked for. */
  isAtEnd: boolean;
  /** Encrypted messages that did not hold. */
  failed: number;
}

/** Whose conversations are read; a new connection may know another name. */
interface Reader {
  username: string;
  userId: string;
}

/** Whose conversations are read, where they go on, and where the messages go. */
interface Desk {
  readonly reader: Reader;
  readonly cursor: DurableCursor | undefined;
  readonly handOver: HandOver;
  readonly private: PrivateReader;
}

/** Hands over until the messages end or a limit is reached; meanwhile the library leaves the socket unread. */
async function handOverAll(
  { plan, limits, progress }: Run,
  { reader, handOver, private: opener }: Desk,
  messages: AsyncIterable<WireMessage>,
): Promise<void> {
  for await (const message of messages) {
    if (limits.signal.aborted) break;
    if (!plan.showsOwn && message.sender === reader.username) {
      handOver.pass(message);
      continue;
    }
    const opened = message.envelope === undefined ? message : await openUnlessOver(opener, message, limits);
    if (opened === undefined || !(await handOver.take(opened))) break;
    progress.handedOver += 1;
    if (progress.handedOver === limits.count) {
      progress.isAtEnd = true;
      return;
    }
  }
  progress.isAtEnd = !limits.signal.aborted;
}

/** Undefined when the end came first, which ends a lookup too. */
async function openUnlessOver(
  opener: PrivateReader,
  message: WireMessage,
  { signal }: Limits,
): Promise<WireMessage | undefined> {
  try {
    return await opener.open(message);
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

async function openHandOver(
  { context, plan, limits }: Run,
  { reader, cursor }: Pick<Desk, 'reader' | 'cursor'>,
): Promise<HandOver> {
  const { host, output } = context;
  const { signal } = limits;
  if (plan.exec !== undefined) {
    const { commandRunner } = await import('./run-per-message.ts');
    return commandRunner({ command: plan.exec, onError: plan.onExecError, host, output, cursor, signal });
  }
  // What a run that was killed has left there must not make the first line unreadable: it would count as handed over.
  if (cursor !== undefined && host.stdout.isAmidLine()) await host.stdout.write('\n');
  const paint = await output.paint();
  const several = plan.targets.length !== 1;
  const line = () => ({ reader: reader.username, several, paint });
  return linePrinter({ output, stdout: host.stdout, line, cursor, signal });
}

/** Runs `work` with what it hands messages over by; whatever its end, the cursor is saved after it. */
async function withDesk(
  run: Run,
  { username, userId }: LoggedIn,
  work: (desk: Desk) => Promise<void>,
): Promise<void> {
  const { context, plan, limits } = run;
  let cursor: DurableCursor | undefined;
  if (plan.durable !== undefined) {
    const { openCursor } = await import('./durable-cursor.ts');
    const { server, context: name } = context.settings;
    const owner = { server, context: name, username, userId };
    cursor = await openCursor(context.host, owner, plan.durable, limits.cursorFailed);
  }
  try {
    const reader = { username, userId };
    const handOver = await openHandOver(run, { reader, cursor });
    // Who follows waits for the server as long as it takes.
    const tries = plan.follows ? Number.POSITIVE_INFINITY : undefined;
    const opener = openPrivateReader({ ...context, signal: limits.signal }, () => reader.username, tries);
    try {
      await work({ reader, cursor, handOver, private: opener });
    } finally {
      run.progress.failed = opener.failed;
      await opener.close();
      await handOver.settle();
    }
  } catch (error) {
    // The first failure is the one to tell.
    await cursor?.close().catch(() => {});
    throw error;
  }
  await cursor?.close();
}

/** Refuses a cursor that the server knows less than: what it would skip must not be skipped silently. */
async function checkPositions({ cursor }: Desk, { targets }: Plan, connection: Connection): Promise<void> {
  if (cursor === undefined || cursor.positions.size === 0) return;
  const { conversations } = await connection.call('conversation.list', {}, { timeoutMs: callTimeoutMs });
  for (const { to, last_seq } of conversations) {
    const position = cursor.positions.get(to) ?? 0;
    if (position <= last_seq || (targets.length > 0 && !targets.includes(to))) continue;
    throw new ChatError(
      'invalid',
      `${cursor.path}: stands at message ${position} of ${to}, and the server has ${last_seq}: it has lost some, or is another one; move the file away to begin anew (-n, --since)`,
    );
  }
}

/** A lost connection is talk on stderr: nothing waits silently. */
function tellState({ output }: CommandContext, cursor: DurableCursor | undefined, state: FollowState): void {
  if (state.kind === 'waiting') void output.note(`${state.cause.message}; trying again`);
  // Why it cannot be saved is told at the end.
  else if (cursor !== undefined)
    void cursor.save().then(
      () => output.detail('following'),
      () => {},
    );
  else void output.detail('following');
}

/** What happens to the account is talk, in every format: stdout has messages alone. */
function tellNotice({ output }: CommandContext, event: WireEvent): void {
  const text = event.type === 'account-notice' ? accountNoticeText(event) : undefined;
  if (text !== undefined) void output.log(text);
}

/** Hands over and follows. The first connection has to succeed; one that is lost later is made again. */
export async function handOverAndFollow(run: Run): Promise<void> {
  const { context, plan, limits } = run;
  const { signal } = limits;
  const limited = { ...context, signal };
  let first = await unlessAborted(
    signal,
    () => openSession(limited),
    ({ connection }) => connection.close(),
  );
  if (first === undefined) return;
  try {
    await withDesk(run, first, async (desk) => {
      const { cursor } = desk;
      const open = async (sessionEnd?: ChatError): Promise<Connection> => {
        const session = first ?? (await openSession(limited, callTimeoutMs, sessionEnd));
        first = undefined;
        try {
          if (cursor !== undefined) checkAccount(desk, session);
          await checkPositions(desk, plan, session.connection);
        } catch (error) {
          await session.connection.close();
          throw error;
        }
        desk.reader.username = session.username;
        session.connection.onEvent((event) => tellNotice(context, event));
        return session.connection;
      };
      const messages = context.host.client.follow({
        open,
        targets: plan.targets,
        from: cursor?.coversAll ? { since: beginningOfTime } : plan.from,
        cursors: cursor?.positions,
        wholeLater: cursor !== undefined,
        onStarts: (starts) => cursor?.begin(starts, plan.targets.length === 0),
        signal,
        onState: (state) => tellState(context, cursor, state),
      });
      await handOverAll(run, desk, messages);
    });
  } finally {
    await first?.connection.close();
  }
}

/** Somebody else may have logged in meanwhile: their messages are not for this cursor. */
function checkAccount({ reader }: Desk, session: LoggedIn): void {
  if (session.userId === reader.userId) return;
  throw new ChatError(
    'unauthenticated',
    `logged in as ${session.username} by now, and the cursor is ${reader.username}'s; log in with: chat login ${reader.username}`,
  );
}

/** Hands over what is there, the oldest first over all conversations. */
export async function handOverOnce(run: Run): Promise<void> {
  const { context, plan, limits } = run;
  const { signal } = limits;
  const session = await unlessAborted(
    signal,
    () => openSession({ ...context, signal }),
    ({ connection }) => connection.close(),
  );
  if (session === undefined) return;
  const { connection } = session;
  // A call that is waited for ends with its connection.
  const cut = () => void connection.close();
  signal.addEventListener('abort', cut);
  try {
    await withDesk(run, session, async (desk) => {
      await checkPositions(desk, plan, connection);
      await handOverAll(run, desk, await historyOf(run, desk, connection));
    });
  } finally {
    signal.removeEventListener('abort', cut);
    await connection.close();
  }
}

async function historyOf(
  { context, plan }: Run,
  { cursor }: Desk,
  connection: Connection,
): Promise<AsyncIterable<WireMessage>> {
  const isOfAll = plan.targets.length === 0;
  const names = isOfAll ? await ownConversations(connection) : plan.targets;
  const others = cursor?.coversAll ? { after: 0 } : plan.from;
  const starts = new Map<string, number>();
  const begin = (): void => cursor?.begin(starts, isOfAll);
  if (names.length === 0) begin();
  const streams = names.map((to) => {
    const position = cursor?.positions.get(to);
    const from = position === undefined ? others : { after: position };
    const onStart = (after: number): void => {
      starts.set(to, after);
      // Only all of them together are a beginning: one that was missing would begin from its start the next time.
      if (starts.size === names.length) begin();
    };
    return context.host.client.history({ connection, to, from, onStart });
  });
  return mergeByTime(streams);
}

async function ownConversations(connection: Connection): Promise<string[]> {
  const { conversations } = await connection.call('conversation.list', {}, { timeoutMs: callTimeoutMs });
  return conversations.map(({ to }) => to);
}
