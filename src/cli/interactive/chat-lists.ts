import type { Connection } from '../../client/connection.ts';
import { pages } from '../../client/pages.ts';
import { callTimeoutMs } from '../session.ts';
import { type ChatState, conversationOf } from './chat-state.ts';
import { NameList } from './name-list.ts';

/** Names for completion are fetched up to so many. */
const mostNames = 5_000;

/** Asks for the caller's conversations and how far they were read: before any message, so that it is known which are new. */
export async function listConversations(connection: Connection, state: ChatState): Promise<void> {
  const { conversations } = await connection.call('conversation.list', {}, { timeoutMs: callTimeoutMs });
  for (const { to, last_seq, read_seq } of conversations) {
    // Put away, and nothing was said since.
    if ((state.closed.get(to) ?? -1) >= last_seq) continue;
    const conversation = conversationOf(state, to);
    conversation.lastSeq = Math.max(conversation.lastSeq, last_seq);
    conversation.readSeq = Math.max(conversation.readSeq, read_seq);
    if (last_seq === 0) conversation.earlier ??= 0;
  }
}

/** Asks who is online, which `onOnline` is told of, and for the names that can be completed. */
export async function listNames(
  connection: Connection,
  state: ChatState,
  onOnline: () => void,
): Promise<void> {
  const options = { timeoutMs: callTimeoutMs };
  // Who comes and goes meanwhile is in the list at once.
  const online = new NameList();
  state.online = online;
  for await (const page of pages((after) =>
    connection.call('user.list', { watch: true, ...after }, options),
  )) {
    for (const { username } of page.users) online.add(username);
  }
  onOnline();
  for await (const page of pages((after) => connection.call('user.list', { all: true, ...after }, options))) {
    for (const { username } of page.users) state.people.add(username);
    if (state.people.size >= mostNames) break;
  }
  for await (const page of pages((after) => connection.call('room.list', { ...after }, options))) {
    for (const { room } of page.rooms) state.rooms.add(room);
    if (state.rooms.size >= mostNames) break;
  }
}
