import { access } from 'node:fs/promises';
import { formatServerAddress } from '../../../client/address.ts';
import type { Connection } from '../../../client/connection.ts';
import { pages } from '../../../client/pages.ts';
import { ownSections } from '../../../core/own-sections.ts';
import { type CommandContext, command, noOperands } from '../../command.ts';
import { jsonLine } from '../../escape.ts';
import { exitOk } from '../../exit-codes.ts';
import { usageError } from '../../options.ts';
import { callTimeoutMs, withSession } from '../../session.ts';
import { taken, writeWhole } from '../../whole-file.ts';

type Row = Readonly<Record<string, unknown>>;
type Put = (text: string) => Promise<void>;

/** Everything of one section, page by page. */
async function* rowsOf(connection: Connection, section: (typeof ownSections)[number]): AsyncGenerator<Row> {
  const fetch = (cursor: { readonly after?: string }) =>
    connection.call('account.export', { section, ...cursor }, { timeoutMs: callTimeoutMs });
  for await (const page of pages(fetch)) yield* page.rows;
}

/** What a sink is given in pieces: rows are small, and there may be a million of them. */
const pieceCharacters = 65_536;

/** Gathers what is put into pieces; `end` gives the last one. */
function inPieces(put: Put): { put: Put; end(): Promise<void> } {
  let waiting = '';
  return {
    async put(text) {
      waiting += text;
      if (waiting.length < pieceCharacters) return;
      const piece = waiting;
      waiting = '';
      await put(piece);
    },
    end: () => put(waiting),
  };
}

/** Writes everything; tells on a terminal how far it is. Answers how many rows there were. */
async function writeAll(context: CommandContext, connection: Connection, sink: Put): Promise<number> {
  const { host, output, settings } = context;
  const isLines = output.format === 'json';
  const { put, end } = inPieces(sink);
  let count = 0;
  if (!isLines) {
    const head = {
      server: formatServerAddress(settings.server),
      exported_at: new Date(host.now()).toISOString(),
    };
    await put(lineOf(head).slice(0, -1));
  }
  for (const section of ownSections) {
    let inSection = 0;
    if (!isLines) await put(`,\n${JSON.stringify(section)}:[`);
    for await (const row of rowsOf(connection, section)) {
      if (isLines) await put(jsonLine({ section, ...row }));
      else await put(`${inSection === 0 ? '\n' : ',\n'}${lineOf(row)}`);
      inSection += 1;
      output.progress(`${section}: ${inSection}`);
    }
    if (!isLines) await put(inSection === 0 ? ']' : '\n]');
    count += inSection;
  }
  if (!isLines) await put('\n}\n');
  await end();
  output.progress(undefined);
  return count;
}

function lineOf(value: object): string {
  return jsonLine(value).slice(0, -1);
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** Saves what the server keeps about the account that is logged in. */
export const exportData = command({
  usage: ['account export [--file FILE] [--force]'],
  description:
    'Prints what the server keeps about the account that is logged in, as one JSON document with a list for each part; with -o json ' +
    'one object a line. Of messages there are those that you have sent: what others wrote is theirs.',
  options: {
    file: {
      type: 'text',
      value: 'FILE',
      complete: 'file',
      describe: 'write it into a file, for you alone, whole or not at all',
    },
    force: { type: 'flag', describe: 'replace the file when it is there' },
  },
  operands: noOperands,
  examples: [
    ['chat account export --file me.json', 'everything in one file'],
    ['chat account export -o json | jq -r \'select(.section == "messages").text\'', 'the texts'],
  ],
  async run({ options }, context) {
    const { host, output } = context;
    const { file } = options;
    const label = '--file';
    if (file === undefined && options.force) throw usageError('--force goes with --file', '--force');
    if (file === '') throw usageError('--file: give the name of a file', label);
    // Before the server does all that work.
    if (file !== undefined && !options.force && (await exists(file))) throw taken(label, file);
    return await withSession(context, async ({ connection }) => {
      if (file === undefined) {
        await writeAll(context, connection, async (text) => host.stdout.write(text));
        return exitOk;
      }
      let count = 0;
      const how = { label, replaces: options.force, id: host.processId, signal: context.signal };
      await writeWhole(file, how, async (put) => {
        count = await writeAll(context, connection, put);
      });
      await output.note(`${count} rows are in ${file}`);
      return exitOk;
    });
  },
});
