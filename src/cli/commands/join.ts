import type { Connection } from '../../client/connection.ts';
import { ChatError } from '../../core/errors.ts';
import { conversationName, parseRoomName } from '../../core/model/conversation-name.ts';
import { command } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { callTimeoutMs, withSession } from '../session.ts';

/** Joins a room. */
export const join = command({
  usage: ['join ROOM [--create]'],
  description: "Joins a room, which may be written '#ops' or ops. Joining a room that one is in is no error.",
  options: {
    create: { type: 'flag', describe: 'make the room when there is none of that name' },
  },
  operands: { min: 1, max: 1, names: 'ROOM', complete: ['room'] },
  examples: [['chat join ops --create', 'joins #ops, made if need be']],
  async run({ options, operands }, context) {
    const name = conversationName({ kind: 'room', room: parseRoomName(operands[0] ?? '', 'ROOM') });
    return await withSession(context, async ({ connection }) => {
      const { room, created } = await enter(connection, name, options.create);
      await context.output.note(created ? `made and joined ${room}` : `joined ${room}`);
      if (context.output.format === 'json') await context.output.result({ room, created }, []);
      return exitOk;
    });
  },
});

/** Joins; makes a missing room when asked, and joins after all when another was faster. */
async function enter(
  connection: Connection,
  name: string,
  create: boolean,
): Promise<{ room: string; created: boolean }> {
  const options = { timeoutMs: callTimeoutMs };
  const joined = async () => ({
    room: (await connection.call('room.join', { room: name }, options)).room,
    created: false,
  });
  try {
    return await joined();
  } catch (error) {
    if (!create || !(error instanceof ChatError) || error.code !== 'not-found') throw error;
  }
  try {
    return { room: (await connection.call('room.create', { room: name }, options)).room, created: true };
  } catch (error) {
    if (!(error instanceof ChatError) || error.code !== 'conflict') throw error;
    return await joined();
  }
}
