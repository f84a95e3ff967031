import type { WireMessage } from '../../client/connection.ts';
import { searchPage } from '../../client/search.ts';
import { conversationName, parseConversationName } from '../../core/model/conversation-name.ts';
import { searchRows } from '../../core/policy.ts';
import { command } from '../command.ts';
import { exitCodes, exitOk } from '../exit-codes.ts';
import { messageLine, messageRecord } from '../message-text.ts';
import { grouped } from '../pace.ts';
import { searchedOfEach, searchPrivate } from '../search-private.ts';
import { callTimeoutMs, withSession } from '../session.ts';

/** More pages than these would be more searches than an account has in a minute. */
const maxMatches = 2_000;

/** Finds messages. */
export const search = command({
  usage: ['search WORD… [--in CONV] [-n N]'],
  description:
    "Prints messages that have all words, newest first, in chat tail's lines. Words are found whatever their case and " +
    'accents; WORD* finds what begins so, "words in quotes" what stands so. Searched is all that one may read, or ' +
    "CONV, '#room' or '@user'. Encrypted messages are opened and searched on this machine, the newest " +
    `${grouped(searchedOfEach)} of each conversation. Exit 6 when there is none.`,
  options: {
    in: { type: 'text', value: 'CONV', describe: "in '#room' or '@user' alone" },
    last: {
      type: 'number',
      alias: 'n',
      value: 'N',
      min: 1,
      max: maxMatches,
      whole: true,
      describe: `the newest N messages, at most ${maxMatches}; default ${searchRows.usual}`,
    },
  },
  operands: { min: 1, max: Number.POSITIVE_INFINITY, names: 'WORD' },
  examples: [
    ['chat search deploy fail*', 'the newest messages with deploy and a word that begins with fail'],
    [`chat search '"out of memory"' --in '#ops' -n 1`, 'the last time that somebody said so'],
    ["chat search --in '#ops' 'job 4711' >/dev/null || chat send '#ops' 'job 4711 is done'", 'says it once'],
  ],
  async run({ options, operands }, context) {
    const { output } = context;
    const to =
      options.in === undefined ? {} : { to: conversationName(parseConversationName(options.in, '--in')) };
    return await withSession(context, async (session) => {
      const { connection, username } = session;
      const line = { reader: username, several: options.in === undefined, paint: await output.paint() };
      const wanted = options.last ?? searchRows.usual;
      const q = operands.join(' ');
      const hidden = await searchPrivate(context, session, { q, ...to });
      const waiting = [...hidden.messages];
      const print = async (message: WireMessage): Promise<void> => {
        if (found === wanted) return;
        found += 1;
        await output.result(messageRecord(message), messageLine(message, line));
      };
      let before: { readonly before?: string } | undefined = {};
      let isComplete = true;
      let found = 0;
      while (before !== undefined && found < wanted) {
        const query = {
          q,
          ...to,
          ...before,
          limit: Math.min(wanted - found, searchRows.most),
        };
        const page = await searchPage(connection, query, { timeoutMs: callTimeoutMs });
        for (const message of page.messages) {
          while (waiting[0] !== undefined && waiting[0].sent_at > message.sent_at)
            await print(waiting.shift() as WireMessage);
          await print(message);
        }
        isComplete &&= page.isComplete;
        before = page.next === undefined ? undefined : { before: page.next };
      }
      for (const message of waiting) await print(message);
      for (const name of hidden.cut)
        await output.note(`of ${name} the newest ${grouped(searchedOfEach)} messages alone were opened`);
      for (const note of hidden.notes) await output.note(note);
      if (!isComplete) await output.note('the server has not indexed everything yet: there may be more');
      if (found > 0) return exitOk;
      await output.note('nothing found');
      return exitCodes['not-found'];
    });
  },
});
