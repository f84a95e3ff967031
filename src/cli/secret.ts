import { readFile } from 'node:fs/promises';
import { parsePassword } from '../core/model/password.ts';
import type { CommandContext } from './command.ts';
import { canPrompt, type Host } from './host.ts';
import { type OptionTable, type OptionValues, refuseBoth, usageError } from './options.ts';
import { profileOf } from './session.ts';
import { decodeUtf8, dropTrailingNewline, readAll } from './text-input.ts';

/** The flags by which a command takes a password; it is never an argument, since other users see those. */
export const passwordOptions = {
  'password-stdin': {
    type: 'flag',
    describe: 'read the password from stdin: all of it, less one trailing newline',
  },
  'password-file': {
    type: 'text',
    value: 'FILE',
    complete: 'file',
    describe: 'read the password from a file, less one trailing newline',
  },
  password: {
    type: 'refused',
    describe:
      'an argument shows the secret to every user of this machine; use --password-stdin, --password-file or CHAT_PASSWORD',
  },
} as const satisfies OptionTable;

/** What {@link passwordOptions} say. */
export type PasswordValues = OptionValues<typeof passwordOptions>;

/** The flags by which a command that needs the old password takes the new one. */
export const newPasswordOptions = {
  'new-password-stdin': {
    type: 'flag',
    describe: 'read the new password from stdin: all of it, less one trailing newline',
  },
  'new-password-file': {
    type: 'text',
    value: 'FILE',
    complete: 'file',
    describe: 'read the new password from a file, less one trailing newline',
  },
  'new-password': {
    type: 'refused',
    describe:
      'an argument shows the secret to every user of this machine; use --new-password-stdin or --new-password-file',
  },
} as const satisfies OptionTable;

type NewPasswordValues = OptionValues<typeof newPasswordOptions>;

/** Reads a small file that a flag names; throws `invalid` (exit 2) when that fails. */
export async function readNamedFile(label: string, path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw usageError(`${label}: cannot read ${path} (${code})`, label);
  }
}

/** Where a password comes from, in the order of the settings. */
type PasswordSource =
  | { readonly kind: 'stdin'; readonly label: string }
  | { readonly kind: 'file'; readonly label: string; readonly path: string }
  | { readonly kind: 'environment'; readonly password: string }
  | { readonly kind: 'prompt' };

function sourceOf(values: PasswordValues, host: Host): PasswordSource {
  refuseBoth(values, 'password-stdin', 'password-file', 'there is one password');
  if (values['password-stdin']) return { kind: 'stdin', label: '--password-stdin' };
  const path = values['password-file'];
  if (path !== undefined) return { kind: 'file', label: '--password-file', path };
  const password = host.env.CHAT_PASSWORD;
  if (password !== undefined) return { kind: 'environment', password };
  if (canPrompt(host)) return { kind: 'prompt' };
  throw usageError('a password is needed: use --password-stdin, --password-file or CHAT_PASSWORD');
}

function newSourceOf(values: NewPasswordValues, host: Host): PasswordSource {
  refuseBoth(values, 'new-password-stdin', 'new-password-file', 'there is one new password');
  if (values['new-password-stdin']) return { kind: 'stdin', label: '--new-password-stdin' };
  const path = values['new-password-file'];
  if (path !== undefined) return { kind: 'file', label: '--new-password-file', path };
  if (canPrompt(host)) return { kind: 'prompt' };
  throw usageError('a new password is needed: use --new-password-stdin or --new-password-file');
}

/** A password as bytes arrive: UTF-8, less one trailing newline. */
function fromBytes(label: string, bytes: Uint8Array): string {
  return dropTrailingNewline(decodeUtf8(label, bytes));
}

/** One that no account can have is not worth a connection. */
function checkPassword(password: string): void {
  if (password === '') throw usageError('the password is empty');
  parsePassword(password);
}

async function ask(context: CommandContext, question: string, twice: boolean): Promise<string> {
  const { prompts } = context.host;
  const password = await prompts.secret(question);
  if (!twice) return password;
  // One that cannot be had need not be typed again.
  checkPassword(password);
  if ((await prompts.secret(`${question} again`)) !== password) {
    throw usageError('the two passwords differ; nothing was done');
  }
  return password;
}

/** Refuses the flags that give a password beside `flag`, which there is none with. */
export function refusePassword(values: PasswordValues, flag: string, why: string): void {
  refuseBoth({ ...values, [flag]: true }, flag, 'password-stdin', why);
  refuseBoth({ ...values, [flag]: true }, flag, 'password-file', why);
}

/** Refuses contradicting or missing password sources before anything else is done. */
export function checkPasswordSource(values: PasswordValues, host: Host): void {
  sourceOf(values, host);
}

/**
 * Answers the password from the first of: `--password-stdin`, `--password-file`, CHAT_PASSWORD, a prompt (asked `twice`
 * for a new one). Throws `invalid` (exit 2) when there is none and nobody to ask, and for one that no account can have.
 */
export async function readPassword(
  context: CommandContext,
  values: PasswordValues,
  twice: boolean,
): Promise<string> {
  return await readFrom(context, sourceOf(values, context.host), { question: 'Password', twice });
}

/** True when somebody has said which password is meant, and is not to be asked. */
export function namesPassword(values: PasswordValues, { env }: Host): boolean {
  return values['password-stdin'] || values['password-file'] !== undefined || env.CHAT_PASSWORD !== undefined;
}

/** True when whoever is logged in here shows a certificate, and nobody has named a password to prove himself with instead. */
async function provesByCertificate(context: CommandContext, values: PasswordValues): Promise<boolean> {
  if (namesPassword(values, context.host) || context.host.env.CHAT_TOKEN !== undefined) return false;
  return (await profileOf(context).load())?.by === 'certificate';
}

/** Refuses contradicting or missing sources of what a person proves himself with, before anything else is done. */
export async function checkProofSource(context: CommandContext, values: PasswordValues): Promise<void> {
  if (!(await provesByCertificate(context, values))) checkPasswordSource(values, context.host);
}

/** Answers the password that a person proves himself with, as {@link readPassword} does; undefined for the certificate of the saved login. */
export async function readProofPassword(
  context: CommandContext,
  values: PasswordValues,
): Promise<string | undefined> {
  if (await provesByCertificate(context, values)) return undefined;
  return await readPassword(context, values, false);
}

/** Refuses contradicting or missing sources of an old and a new password before anything else is done. */
export async function checkPasswordSources(
  context: CommandContext,
  values: PasswordValues & NewPasswordValues,
): Promise<void> {
  refuseBoth(values, 'password-stdin', 'new-password-stdin', 'stdin holds one password');
  await checkProofSource(context, values);
  newSourceOf(values, context.host);
}

/** Answers a new password: from `--new-password-stdin`, `--new-password-file`, or asked for twice; throws as {@link readPassword} does. */
export async function readNewPassword(context: CommandContext, values: NewPasswordValues): Promise<string> {
  const source = newSourceOf(values, context.host);
  return await readFrom(context, source, { question: 'New password', twice: true });
}

async function readFrom(
  context: CommandContext,
  source: PasswordSource,
  { question, twice }: { readonly question: string; readonly twice: boolean },
): Promise<string> {
  let password: string;
  if (source.kind === 'stdin') password = fromBytes(source.label, await readAll(context.host.stdin));
  else if (source.kind === 'file')
    password = fromBytes(source.label, await readNamedFile(source.label, source.path));
  else if (source.kind === 'environment') password = source.password;
  else password = await ask(context, question, twice);
  checkPassword(password);
  return password;
}

/** Answers `given`, or asks for it at a terminal; throws `invalid` (exit 2) in a script. */
export async function readName(context: CommandContext, given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  if (!canPrompt(context.host)) throw usageError('NAME is missing');
  return (await context.host.prompts.text('Username')).trim();
}
