import { devNull } from 'node:os';
import { type CommandContext, command, noOperands } from '../command.ts';
import type { Configuration } from '../configuration.ts';
import { editFile } from '../edit-file.ts';
import { exitCodes, exitOk } from '../exit-codes.ts';
import { usageError } from '../options.ts';
import { originText } from '../origin.ts';
import { checkSetting, clientKeys, globalOptions, type SettingKey, settingKeys } from '../settings.ts';
import { replaceSharedFile } from '../state-directory.ts';
import { tableLines } from '../table.ts';

/** The person's own file, which `set` and `unset` change. */
function ownFile({ files }: Configuration): { readonly path: string; readonly exists: boolean } {
  const [own] = files;
  if (own === undefined) throw new Error('this command looks at settings files');
  return own;
}

async function show({ configuration, output, host }: CommandContext): Promise<number> {
  const { values, files, contexts, problems } = configuration;
  const rows = values.map(({ key, value, origin }) => [key, String(value ?? '-'), originText(origin)]);
  const lines = tableLines(rows, host.stdout);
  for (const [index, { key, value, origin }] of values.entries())
    await output.result({ key, value: value ?? null, origin }, lines[index] ?? '');
  const looked = [...files, contexts];
  const places = tableLines(
    looked.map(({ path, exists }) => ['file', path, exists ? 'read' : 'not there']),
    host.stdout,
  );
  for (const [index, { path, exists }] of looked.entries())
    await output.result({ file: path, exists }, places[index] ?? '');
  for (const { message } of problems)
    await output.result({ problem: message }, tableLines([['problem', message]], host.stdout));
  return problems.length === 0 ? exitOk : exitCodes.invalid;
}

const path = command({
  usage: ['config path'],
  description: 'Prints where your own settings file is, or would be.',
  options: {},
  operands: noOperands,
  examples: [['"$EDITOR" "$(chat config path)"', 'edits it']],
  settings: 'with-problems',
  async run(_args, { configuration, output }) {
    const own = ownFile(configuration);
    await output.result({ path: own.path, exists: own.exists }, own.path);
    return exitOk;
  },
});

/** Refuses a key that no file may have, with what was meant. */
async function parseKey(key: string): Promise<SettingKey> {
  if (Object.hasOwn(clientKeys.known, key)) return key as SettingKey;
  const { unknownKey } = await import('../settings-yaml.ts');
  throw unknownKey(key, key, clientKeys);
}

function parseValue(key: SettingKey, given: string): string | boolean {
  if (globalOptions[key].type !== 'flag') {
    checkSetting(key, key, given);
    return given;
  }
  if (given === 'true' || given === 'false') return given === 'true';
  throw usageError(`${key} takes true or false, not ${JSON.stringify(given)}`, key);
}

/** Changes the person's file, and says so when something goes before it. */
async function change(
  context: CommandContext,
  key: string,
  value: string | boolean | undefined,
): Promise<number> {
  const { host, configuration, output } = context;
  const own = ownFile(configuration);
  if (own.path === devNull) throw usageError(`${own.path} keeps nothing; name a file with --config`);
  const { editSettings } = await import('../settings-edit.ts');
  let isChanged = false;
  const file = { path: own.path, replace: (content: string) => replaceSharedFile(own.path, content) };
  await editFile(host, file, (text = '') => {
    const edited = editSettings(own.path, text, key, value);
    isChanged = edited !== text;
    return isChanged ? edited : undefined;
  });
  const now =
    value === undefined
      ? isChanged
        ? 'not set any more'
        : 'not set'
      : `${value}${isChanged ? ' now' : ' already'}`;
  await output.note(`${key} is ${now} in ${own.path}`);
  const before = configuration.values.find((settled) => settled.key === key);
  if (value !== undefined && before !== undefined && !['file', 'default'].includes(before.origin.kind))
    await output.note(`${originText(before.origin)} goes before it and says ${before.value}`);
  if (output.format === 'json') await output.result({ key, value: value ?? null, file: own.path }, []);
  return exitOk;
}

const set = command({
  usage: ['config set KEY VALUE'],
  description:
    'Sets a key in your own settings file, which is made when there is none; every other line stays as it is. ' +
    'VALUE is checked as the flag is; a switch takes true or false.',
  options: {},
  operands: { min: 2, max: 2, names: 'KEY and VALUE', complete: [settingKeys, 'text'] },
  examples: [['chat config set server chat.example.org:8080', 'for every command from now on']],
  settings: 'with-problems',
  async run({ operands: [given = '', value = ''] }, context) {
    const key = await parseKey(given);
    return await change(context, key, parseValue(key, value));
  },
});

const unset = command({
  usage: ['config unset KEY'],
  description: 'Takes a key out of your own settings file, also one that does not belong there.',
  options: {},
  operands: { min: 1, max: 1, names: 'KEY', complete: [settingKeys] },
  examples: [['chat config unset server', 'back to the default']],
  settings: 'with-problems',
  run: ({ operands: [key = ''] }, context) => change(context, key, undefined),
});

/** Prints the settings and where each comes from, and changes the person's own. */
export const config = command({
  usage: ['config', 'config path', 'config set KEY VALUE', 'config unset KEY'],
  description:
    'Prints each setting with its value and where it comes from (flag, variable, context, FILE:LINE, default), then the files ' +
    'that were looked at and what is wrong in them; exit 2 when something is. For the server: chat serve --check.',
  options: {},
  operands: noOperands,
  examples: [
    ['chat config', 'what holds, and why'],
    ['chat config set output json', 'for every command from now on'],
  ],
  subcommands: [
    { name: 'path', summary: 'print where your settings file is', load: async () => path },
    { name: 'set', summary: 'set a key in it', load: async () => set },
    { name: 'unset', summary: 'take a key out of it', load: async () => unset },
  ],
  settings: 'with-problems',
  run: (_args, context) => show(context),
});
