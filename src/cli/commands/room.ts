import { pages } from '../../client/pages.ts';
import { conversationName, parseRoomName } from '../../core/model/conversation-name.ts';
import { command } from '../command.ts';
import { escapeForTerminal } from '../escape.ts';
import { exitOk } from '../exit-codes.ts';
import { usageError } from '../options.ts';
import { callTimeoutMs, withSession } from '../session.ts';

const members = command({
  usage: ['room members ROOM'],
  description: 'Prints who is in a room, one name a line. With -o json also whether they are online.',
  options: {},
  operands: { min: 1, max: 1, names: 'ROOM', complete: ['room'] },
  examples: [["chat room members '#ops'", 'who is in #ops']],
  async run({ operands }, context) {
    const room = conversationName({ kind: 'room', room: parseRoomName(operands[0] ?? '', 'ROOM') });
    return await withSession(context, async ({ connection }) => {
      const fetch = (cursor: { readonly after?: string }) =>
        connection.call('room.members', { room, ...cursor }, { timeoutMs: callTimeoutMs });
      for await (const page of pages(fetch)) {
        for (const member of page.members)
          await context.output.result(member, escapeForTerminal(member.username));
      }
      return exitOk;
    });
  },
});

/** What can be asked about one room. */
export const room = command({
  usage: ['room members ROOM'],
  description: 'About one room.',
  options: {},
  operands: { min: 0, max: Number.POSITIVE_INFINITY, names: '' },
  examples: [["chat room members '#ops'", 'who is in #ops']],
  subcommands: [{ name: 'members', summary: 'list who is in a room', load: async () => members }],
  async run() {
    throw usageError('chat room takes: members ROOM');
  },
});
