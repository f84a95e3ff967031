import { conversationName, parseRoomName } from '../../core/model/conversation-name.ts';
import { command } from '../command.ts';
import { exitOk } from '../exit-codes.ts';
import { callTimeoutMs, withSession } from '../session.ts';

/** Leaves a room. */
export const leave = command({
  usage: ['leave ROOM'],
  description: "Leaves a room, which may be written '#ops' or ops.",
  options: {},
  operands: { min: 1, max: 1, names: 'ROOM', complete: ['room'] },
  examples: [['chat leave ops', 'leaves #ops']],
  async run({ operands }, context) {
    const name = conversationName({ kind: 'room', room: parseRoomName(operands[0] ?? '', 'ROOM') });
    return await withSession(context, async ({ connection }) => {
      const { room } = await connection.call('room.leave', { room: name }, { timeoutMs: callTimeoutMs });
      await context.output.note(`left ${room}`);
      if (context.output.format === 'json') await context.output.result({ room }, []);
      return exitOk;
    });
  },
});
