import { formatServerAddress } from '../../client/address.ts';
import { ChatError } from '../../core/errors.ts';
import { type CommandContext, command, noOperands } from '../command.ts';
import { defaultContext, updateContexts } from '../contexts.ts';
import { exitOk } from '../exit-codes.ts';
import { canPrompt } from '../host.ts';
import { usageError } from '../options.ts';
import { type FoundLogin, findLogins } from '../saved-logins.ts';
import { parseContextName } from '../settings.ts';
import { tableLines } from '../table.ts';

/** A context as it is listed. */
interface Row {
  readonly name: string;
  readonly server: string;
  /** Who is logged in there; null for nobody. */
  readonly account: string | null;
  /** Whether a command without `--context` uses it, by `chat context select`. */
  readonly selected: boolean;
  /** Whether this run uses it: flag and environment go before what is selected. */
  readonly in_use: boolean;
  /** False for one that is there only because somebody logged in under its name. */
  readonly saved: boolean;
}

/** Saved contexts, then logins under other names or at other servers, then what is in use when it is none of them. */
function rowsOf({ configuration, settings }: CommandContext, logins: readonly FoundLogin[]): Row[] {
  const { contexts } = configuration;
  const selected = contexts.selected ?? defaultContext;
  const inUse = { name: settings.context, server: formatServerAddress(settings.server) };
  const row = (name: string, server: string, saved: boolean): Row => ({
    name,
    server,
    account: logins.find((login) => login.context === name && login.server === server)?.username ?? null,
    selected: name === selected && (saved || !contexts.saved.has(name)),
    in_use: name === inUse.name && server === inUse.server,
    saved,
  });
  const rows = [...contexts.saved].map(([name, { server }]) => row(name, server, true));
  for (const { context: name, server } of [...logins, { context: inUse.name, server: inUse.server }]) {
    if (!rows.some((one) => one.name === name && one.server === server)) rows.push(row(name, server, false));
  }
  return rows;
}

async function list(context: CommandContext): Promise<number> {
  const rows = rowsOf(context, await findLogins(context.host));
  const cells = rows.map(({ name, server, account, in_use }) => [
    name,
    server,
    account ?? '-',
    in_use ? 'in use' : '',
  ]);
  const lines = tableLines(cells, context.host.stdout);
  for (const [index, row] of rows.entries()) await context.output.result(row, lines[index] ?? '');
  return exitOk;
}

const ls = command({
  usage: ['context ls'],
  description: 'Prints the contexts: name, server, who is logged in there, and which one is in use.',
  options: {},
  operands: noOperands,
  examples: [['chat context ls -o json', 'one object a context']],
  run: (_args, context) => list(context),
});

const save = command({
  usage: ['context save NAME [--server SERVER]'],
  description:
    'Saves a server under a name: the one of --server, otherwise the one that is in use now. Saving a name again changes its server. ' +
    'A login belongs to the name and the server both: chat login --context NAME makes one.',
  options: {},
  operands: { min: 1, max: 1, names: 'NAME', complete: ['context'] },
  examples: [['chat context save work --server chat.example.org:8080', 'then: chat login --context work']],
  async run({ operands }, context) {
    const name = parseContextName('NAME', operands[0] ?? '');
    const server = formatServerAddress(context.settings.server);
    let before: string | undefined;
    await updateContexts(context.host, ({ selected, saved }) => {
      before = saved.get(name)?.server;
      return { selected, saved: new Map([...saved, [name, { server }]]) };
    });
    const was = before === undefined || before === server ? '' : ` (before: ${before})`;
    await context.output.note(`context ${name} is ${server}${was}`);
    if (context.output.format === 'json') await context.output.result({ name, server }, []);
    return exitOk;
  },
});

const select = command({
  usage: ['context select NAME'],
  description: `Makes a context the one that commands use when neither --context nor CHAT_CONTEXT says otherwise; "${defaultContext}" is always there.`,
  options: {},
  operands: { min: 1, max: 1, names: 'NAME', complete: ['context'] },
  examples: [['chat context select work', 'from now on']],
  async run({ operands }, context) {
    const name = parseContextName('NAME', operands[0] ?? '');
    await updateContexts(context.host, ({ saved }) => {
      if (!saved.has(name) && name !== defaultContext) throw unknown(name, [...saved.keys()]);
      return { selected: name, saved };
    });
    await context.output.note(`context ${name} is selected`);
    const [source] = context.configuration.values.filter(({ key }) => key === 'context');
    if (source?.origin.kind === 'flag' || source?.origin.kind === 'environment')
      await context.output.note(`${source.origin.name} goes before it and says ${source.value}`);
    if (context.output.format === 'json') await context.output.result({ selected: name }, []);
    return exitOk;
  },
});

function unknown(name: string, names: readonly string[]): ChatError {
  const known = names.length === 0 ? 'none is saved' : `saved are ${names.join(', ')}`;
  return new ChatError(
    'not-found',
    `there is no context ${name}; ${known} (make one with: chat context save ${name} --server …)`,
  );
}

/** Asks a person, and refuses in a script, to forget logins whose sessions live on at their servers. */
async function agreeToForget(
  { host }: CommandContext,
  name: string,
  logins: readonly FoundLogin[],
  yes: boolean,
): Promise<boolean> {
  if (logins.length === 0 || yes) return true;
  const who = logins.map(({ username, server }) => `${username ?? 'somebody'} at ${server}`).join(', ');
  if (!canPrompt(host)) {
    throw usageError(
      `context ${name} has a login (${who}); end it first (chat logout --context ${name}), or pass --yes to forget it here`,
      '--yes',
    );
  }
  return await host.prompts.confirm(
    `Forget the login of ${who}? Its session lives on until it ends by itself.`,
  );
}

const rm = command({
  usage: ['context rm NAME [--yes]'],
  description:
    'Removes a context and its saved logins. The sessions live on at the server until they end by themselves: chat logout --context NAME ' +
    'ends one. When there is a login it asks, and in a script it wants --yes.',
  options: { yes: { type: 'flag', describe: 'forget its saved logins too, without asking' } },
  operands: { min: 1, max: 1, names: 'NAME', complete: ['context'] },
  examples: [['chat logout --context work && chat context rm work', 'nothing is left behind']],
  async run({ options, operands }, context) {
    const { host, output, configuration } = context;
    const name = parseContextName('NAME', operands[0] ?? '');
    const logins = (await findLogins(host)).filter((login) => login.context === name);
    const isSaved = configuration.contexts.saved.has(name);
    if (!isSaved && logins.length === 0) throw unknown(name, [...configuration.contexts.saved.keys()]);
    if (!(await agreeToForget(context, name, logins, options.yes))) {
      await output.note('nothing was done');
      return exitOk;
    }
    for (const { profile } of logins) await profile.locked(() => profile.remove());
    let wasSelected = false;
    if (isSaved) {
      await updateContexts(host, ({ selected, saved }) => {
        wasSelected = selected === name;
        const left = new Map([...saved].filter(([other]) => other !== name));
        return { selected: wasSelected ? undefined : selected, saved: left };
      });
    }
    await output.note(`context ${name} is removed${wasSelected ? '; none is selected now' : ''}`);
    if (output.format === 'json') {
      const forgotten = logins.map(({ server, username }) => ({ server, account: username ?? null }));
      await output.result({ removed: name, forgotten }, []);
    }
    return exitOk;
  },
});

/** Lists, saves, selects and removes named servers and logins. */
export const context = command({
  usage: ['context', 'context save NAME [--server SERVER]', 'context select NAME', 'context rm NAME'],
  description:
    'A context is a name for a server and a login there. Without a subcommand it prints them: name, server, who is logged in there, ' +
    'and which one is in use. --context and CHAT_CONTEXT choose one for a command; columns are separated by a tab in a script.',
  options: {},
  operands: noOperands,
  examples: [
    ['chat context save work --server chat.example.org:8080', 'gives the server a name'],
    ['chat login alice --context work', 'logs in there'],
    ['chat context select work', 'uses it from now on'],
  ],
  subcommands: [
    { name: 'ls', summary: 'list them', load: async () => ls },
    { name: 'save', summary: 'give a server a name', load: async () => save },
    { name: 'select', summary: 'use one from now on', load: async () => select },
    { name: 'rm', summary: 'remove one, with its login', load: async () => rm },
  ],
  run: (_args, context) => list(context),
});
