import { type CommandEntry, commandGroups } from './command.ts';
import { exitCodeHelp } from './exit-codes.ts';
import { globalOptions } from './settings.ts';

/** Something and what is said of it. */
export type Row = readonly [left: string, right: string];

/** Rows in two columns, `width` for the first; what is too long for `columns` goes on below the second. */
function inColumns(rows: readonly Row[], width: number, columns: number): string {
  const room = Math.max(20, columns - width - 4);
  const lines = rows.flatMap(([left, right]) => {
    const parts = right.match(new RegExp(`\\S.{0,${room - 1}}(?=\\s|$)`, 'g')) ?? [];
    return parts.map((part, index) => `  ${(index === 0 ? left : '').padEnd(width)}  ${part}`);
  });
  return lines.join('\n');
}

const widthOf = (rows: readonly Row[]): number => Math.max(...rows.map(([left]) => left.length));

/** How to begin: command lines and what they do. */
export const firstConversation = [
  ['chat serve', 'in a terminal of its own: the server'],
  ['chat register alice', 'an account; asks for a password, and logs in'],
  ["chat send 'hello'", 'to #lobby, where everybody is'],
  ['chat tail', 'prints what is said, and follows'],
] as const satisfies readonly Row[];

/** What `chat --help` begins with: the commands by what they are about, and how to begin. */
export function topHelp(list: readonly CommandEntry[], columns: number): string {
  const entries = list.filter(({ hidden }) => hidden !== true);
  const rowsOf = (some: readonly CommandEntry[]): Row[] =>
    some.map(({ name, summary }) => [`chat ${name}`, summary]);
  const width = widthOf([...rowsOf(entries), ...firstConversation]);
  const groups = [...commandGroups, undefined].flatMap((group) => {
    const rows = rowsOf(entries.filter((entry) => entry.group === group));
    return rows.length === 0 ? [] : [`${group ?? 'Others'}:\n${inColumns(rows, width, columns)}`];
  });
  return [
    'chat COMMAND',
    'Self-hosted team chat for terminals and scripts.\nWithout a command, at a terminal: a live chat.',
    ...groups,
    `A first conversation:\n${inColumns(firstConversation, width, columns)}`,
    `More: chat help COMMAND, ${topics.map(({ name }) => `chat help ${name}`).join(', ')}`,
  ].join('\n\n');
}

/** Variables that are no global flag's, in the order of the topic. */
const otherVariables = [
  ['CHAT_PASSWORD', 'the password, for register and login'],
  ['CHAT_TOKEN', 'a session token (see chat token) to use instead of a saved login'],
  ['CHAT_SERVE_CONFIG', "the server's settings file; its settings have variables too: chat serve --help"],
  [
    'CHAT_STORE',
    'the PostgreSQL database of chat serve and chat admin import-store, reset and totp off, with its password',
  ],
  ['CHAT_SYSTEM_CONFIG', "the machine's settings file, instead of its usual place"],
  ['NO_COLOR', 'no colour, unless it is empty'],
  ['TERM', 'dumb: no colour, and nothing is drawn over'],
  ['XDG_CONFIG_HOME', 'where chat/config.yaml, chat/contexts.json and chat/server.yaml are'],
  ['XDG_STATE_HOME', 'where chat/ keeps logins, known servers, cursors and the outbox'],
  ['XDG_DATA_HOME', 'where chat/ is, in which chat serve keeps its data'],
] as const;

/** Every variable that the client reads, and what for. */
export const environmentRows: readonly Row[] = [
  ...Object.entries(globalOptions).map(
    ([name, option]): Row => [option.env, `as --${name}: ${option.describe}`],
  ),
  ...otherVariables,
];

function environmentHelp(columns: number): string {
  const order = 'Environment variables. A flag goes before its variable, a variable before files:';
  return `${order}\n${inColumns(environmentRows, widthOf(environmentRows), columns)}`;
}

/** Something to read besides the help of a command. */
export interface HelpTopic {
  readonly name: string;
  readonly summary: string;
  text(columns: number): string;
}

/** What `chat help TOPIC` takes. */
export const topics: readonly HelpTopic[] = [
  { name: 'exit-codes', summary: 'what each exit code means', text: () => exitCodeHelp },
  { name: 'environment', summary: 'the variables that chat reads', text: environmentHelp },
];
