import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { devNull } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import type { WireMessage } from '../../src/client/connection.ts';

/** Where the stored directories are, one for each format: `format-7`, and one that was killed: `format-8-killed`. */
export const keptDirectory = join(import.meta.dirname, '..', '..', 'test', 'fixtures', 'databases');

/** What a version told of what it keeps, and the secrets that it gave out: what a later one is asked for again. */
export interface Told {
  /** Of the program: `0.1.0+cc2ac74`. */
  readonly version: string;
  /** Of the database: how many migrations it knew. */
  readonly format: number;
  /** When it was done, UTC milliseconds: what expires is looked at soon after. */
  readonly madeAt: number;
  /** The server's `127.0.0.1:PORT`, which names the files of clients, and its fingerprint. */
  readonly address: string;
  readonly fingerprint: string;
  readonly isKilled: boolean;
  readonly rooms: readonly object[];
  /** Who is in #ops, and everybody. */
  readonly members: readonly { readonly username: string }[];
  readonly people: readonly { readonly username: string }[];
  /** By who reads, and in which conversation. */
  readonly said: Readonly<Record<string, Readonly<Record<string, readonly WireMessage[]>>>>;
  /** Alice's: two. */
  readonly sessions: readonly { readonly id: string; readonly device: string }[];
  readonly account: Readonly<Record<string, unknown>>;
  /** An open account's session of another door, with its CSRF token where there were such. */
  readonly openSession: { readonly token: string; readonly csrfToken?: string };
  /** What bob's `tail --durable seen` has not printed yet. */
  readonly unseen: string;
  /** What is in alice's outbox. */
  readonly unsent: string;
  readonly secondFactor?: { readonly secret: string; readonly recoveryCodes: readonly string[] };
  readonly inviteCode?: string;
  /** For carol. */
  readonly resetCode?: string;
  readonly audit?: readonly object[];
  readonly disabled?: string;
  readonly erasing?: string;
  /** Who logs in with a certificate. */
  readonly certified?: string;
  /** The file's name. */
  readonly backup?: string;
}

/** Everybody's password. */
export const passwordOf = (name: string): string => `correct horse of ${name}`;

/** What a client of somebody's goes by, whose files are all below `home`. */
export function clientEnvironment(name: string, home: string, server: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: home,
    XDG_STATE_HOME: join(home, 'state'),
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_DATA_HOME: join(home, 'data'),
    CHAT_SYSTEM_CONFIG: devNull,
    CHAT_PASSWORD: passwordOf(name),
    CHAT_SERVER: server,
  };
}

/** Locks are of processes that are gone. */
const isLeftOut = (name: string): boolean => name === 'lock' || /^lock-.*\.sock|\.lock$/.test(name);

/** Every file below `directory`, with `/` in its path whatever the platform. */
function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !isLeftOut(entry.name))
    .map(({ parentPath, name }) => relative(directory, join(parentPath, name)).split(sep).join('/'))
    .sort();
}

/** Stores the files below `from` as one, and beside it what was told: a list of names and sizes, then the bytes, compressed. */
export function keep(name: string, from: string, told: Told): number {
  const to = join(keptDirectory, name);
  mkdirSync(to, { recursive: true });
  const contents = filesBelow(from).map((path) => ({ path, bytes: readFileSync(join(from, path)) }));
  const list = JSON.stringify(contents.map(({ path, bytes }) => [path, bytes.length]));
  const whole = Buffer.concat([Buffer.from(`${list}\n`), ...contents.map(({ bytes }) => bytes)]);
  const compressed = brotliCompressSync(whole, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 },
  });
  writeFileSync(join(to, 'files.br'), compressed);
  writeFileSync(join(to, 'told.json'), `${JSON.stringify(told, undefined, 2)}\n`);
  return compressed.length;
}

/** The names of the stored directories. */
export function keptNames(): string[] {
  return readdirSync(keptDirectory).sort();
}

/** What was told of a stored directory. */
export function toldOf(name: string): Told {
  return JSON.parse(readFileSync(join(keptDirectory, name, 'told.json'), 'utf8')) as Told;
}

/** Every stored file: its path, with `/` in it, and its bytes. */
function filesOf(name: string): readonly (readonly [path: string, bytes: Buffer])[] {
  const whole = brotliDecompressSync(readFileSync(join(keptDirectory, name, 'files.br')));
  const end = whole.indexOf('\n');
  const list = JSON.parse(whole.toString('utf8', 0, end)) as [path: string, size: number][];
  let at = end + 1;
  return list.map(([path, size]) => {
    at += size;
    return [path, whole.subarray(at - size, at)];
  });
}

function put(path: string, bytes: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, bytes, { mode: 0o600 });
}

/** Puts the data directory as it was at `to`. */
export function unpackData(name: string, to: string): void {
  for (const [path, bytes] of filesOf(name))
    if (path.startsWith('data/')) put(join(to, ...path.split('/').slice(1)), bytes);
}

/** What an outbox has kept ends with a digest of the lines before, in which the server's address is. */
function sealedAnew(text: string): string {
  const end = text.lastIndexOf('\n', text.length - 2) + 1;
  const tail = JSON.parse(text.slice(end));
  const sha256 = createHash('sha256').update(text.slice(0, end)).digest('hex');
  return `${text.slice(0, end)}${JSON.stringify({ ...tail, sha256 })}\n`;
}

/** Puts the files of clients below `to`, as they would be had the server been at `address`: theirs are named after it. */
export function unpackHomes(name: string, to: string, address: string): void {
  const { address: before } = toldOf(name);
  const portOf = (whole: string) => `_${whole.slice(whole.lastIndexOf(':') + 1)}`;
  for (const [path, bytes] of filesOf(name)) {
    if (!path.startsWith('homes/')) continue;
    const renamed = path.replaceAll(portOf(before), portOf(address)).split('/').slice(1);
    const text = bytes.toString().replaceAll(before, address);
    put(join(to, ...renamed), path.includes('/outbox/') ? sealedAnew(text) : text);
  }
}
