import { ChatError } from '../errors.ts';
import { parseUsername, type Username } from '../model/username.ts';
import { bcryptCostRange, nonceBytes } from '../policy.ts';
import { randomBytes } from '../random.ts';
import { fromBase64, toBase64, utf8 } from './bytes.ts';
import type { Digests } from './digests.ts';
import { isRealm, saltBytes } from './stretch.ts';

/**
 * SCRAM's four messages as text and as data (RFC 5802 section 7, security 1.4). Attributes come in one order, each once,
 * and nothing else: what the RFC lets a later version add is refused until this version knows it.
 */

/** Why a message or a proof was refused: a part of the RFC's `server-error-value`, closed here. */
export const scramReasons = [
  'invalid-encoding',
  'extensions-not-supported',
  'invalid-proof',
  'channel-bindings-dont-match',
  'server-does-support-channel-binding',
  'channel-binding-not-supported',
  'unsupported-channel-binding-type',
  'other-error',
] as const;
export type ScramReason = (typeof scramReasons)[number];

/** What reading or judging a message comes to. */
export type ScramResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: ScramReason };

/** What a server offers: suites and channel bindings by name, in any order. */
export interface Offer {
  readonly suites: readonly string[];
  readonly bindings: readonly string[];
}

/** The one channel binding: RFC 9266, over TLS 1.3 only (security 1.6). */
export const tlsExporter = 'tls-exporter';
/** Bytes of `tls-exporter` binding data. */
export const bindingBytes = 32;
/** No SCRAM message of ours comes near this many characters; a longer one is refused unread. */
export const maxScramCharacters = 1_024;
/** Of a nonce, in characters: the client's alone, and both together. */
const maxNonceCharacters = { own: 128, whole: 256 } as const;

/** What differs between our suite and the RFC's own, which the tests run through the same code. */
export interface ScramProfile {
  /** Whether server-first carries `k`, `d`, `o` and `q` after the cost. */
  readonly extended: boolean;
  readonly cost: { readonly min: number; readonly max: number };
  /** The least that each side adds to the nonce. */
  readonly minNonceCharacters: number;
}

/** The profile of every login here. */
export const chatProfile: ScramProfile = {
  extended: true,
  cost: bcryptCostRange,
  minNonceCharacters: Math.ceil((nonceBytes * 4) / 3),
};

/** The gs2 header's flag: bound to a channel, cannot bind, or could but was offered nothing (RFC 5802 section 6). */
export type BindingFlag =
  | { readonly flag: 'p'; readonly name: string }
  | { readonly flag: 'n' }
  | { readonly flag: 'y' };

/** The client's first message. */
export interface ClientFirst {
  readonly binding: BindingFlag;
  readonly username: Username;
  readonly nonce: string;
  /** As sent, up to and with its second comma. */
  readonly gs2Header: string;
  /** As sent, after the header. */
  readonly bare: string;
}

/** The server's challenge. Under a profile without extensions the last four are empty. */
export interface ServerFirst {
  readonly nonce: string;
  readonly salt: Uint8Array;
  /** Any positive integer; its range is for the client to judge. */
  readonly cost: number;
  readonly suite: string;
  readonly realm: string;
  /** Base64, see {@link offerDigest}. */
  readonly offer: string;
  /** Base64 SHA-256 of the server's public key, DER SPKI. */
  readonly serverKey: string;
}

/** The client's proof. */
export interface ClientFinal {
  /** The gs2 header and the binding bytes after it. */
  readonly channelBinding: Uint8Array;
  readonly nonce: string;
  /** 32 bytes. */
  readonly proof: Uint8Array;
  /** As sent, before `,p=`. */
  readonly withoutProof: string;
}

/** The server's last word: its signature, 32 bytes, or why not. */
export type ServerFinal = { readonly signature: Uint8Array } | { readonly error: ScramReason };

/** A nonce of 18 random bytes, in base64, which has neither comma nor padding at that length (security 1.5). */
export function newNonce(): string {
  return toBase64(randomBytes(nonceBytes));
}

/** The `o` of server-first (security 1.4): base64 SHA-256 of sorted suites, ";", sorted bindings, each comma-joined. */
export function offerDigest({ suites, bindings }: Offer, digests: Digests): string {
  const list = (names: readonly string[]): string => [...names].sort().join(',');
  return toBase64(digests.sha256(utf8(`${list(suites)};${list(bindings)}`)));
}

/** RFC 5802's AuthMessage, over which both sides sign. */
export function authMessage(clientFirstBare: string, serverFirst: string, withoutProof: string): Uint8Array {
  return utf8(`${clientFirstBare},${serverFirst},${withoutProof}`);
}

/** Reads `n,,n=<user>,r=<nonce>` and its bound forms. */
export function parseClientFirst(
  text: string,
  profile: ScramProfile = chatProfile,
): ScramResult<ClientFirst> {
  if (!isPlain(text)) return bad;
  const [flag = '', authorization, ...rest] = text.split(',');
  const binding = parseFlag(flag);
  if (binding === undefined || authorization !== '') return bad;
  const bare = rest.join(',');
  const attributes = readAttributes(bare, ['n', 'r']);
  if (!attributes.ok) return attributes;
  const { n, r } = attributes.value;
  const username = parseName(n);
  if (username === undefined || !isNonce(r, profile.minNonceCharacters, maxNonceCharacters.own)) return bad;
  return good({ binding, username, nonce: r, gs2Header: `${flag},,`, bare });
}

/** Reads `r=<nonce>,s=<salt>,i=<cost>` with `,k=<suite>,d=<realm>,o=<offer>,q=<server key>` under our profile. */
export function parseServerFirst(
  text: string,
  profile: ScramProfile = chatProfile,
): ScramResult<ServerFirst> {
  if (!isPlain(text)) return bad;
  const attributes = readAttributes(text, serverFirstNames, profile.extended ? 7 : 3);
  if (!attributes.ok) return attributes;
  const { r, s, i, k, d, o, q } = attributes.value;
  const salt = fromBase64(s);
  if (!isNonce(r, profile.minNonceCharacters, maxNonceCharacters.whole)) return bad;
  if (salt?.length !== saltBytes || !/^[1-9][0-9]{0,5}$/.test(i)) return bad;
  if (profile.extended && !(isSuite(k) && isRealm(d) && isDigest(o) && isDigest(q))) return bad;
  return good({ nonce: r, salt, cost: Number(i), suite: k, realm: d, offer: o, serverKey: q });
}

/** Spells a challenge; the reverse of {@link parseServerFirst}. */
export function formatServerFirst(first: ServerFirst, profile: ScramProfile = chatProfile): string {
  const plain = `r=${first.nonce},s=${toBase64(first.salt)},i=${first.cost}`;
  if (!profile.extended) return plain;
  return `${plain},k=${first.suite},d=${first.realm},o=${first.offer},q=${first.serverKey}`;
}

/** Reads `c=<channel binding>,r=<whole nonce>,p=<proof>`. */
export function parseClientFinal(text: string): ScramResult<ClientFinal> {
  if (!isPlain(text)) return bad;
  const attributes = readAttributes(text, ['c', 'r', 'p']);
  if (!attributes.ok) return attributes;
  const { c, r, p } = attributes.value;
  const channelBinding = fromBase64(c);
  const proof = fromBase64(p);
  if (channelBinding === undefined || proof?.length !== 32) return bad;
  if (!isNonce(r, 1, maxNonceCharacters.whole)) return bad;
  return good({ channelBinding, nonce: r, proof, withoutProof: text.slice(0, text.lastIndexOf(',p=')) });
}

/** Reads `v=<signature>` or `e=<reason>`; a reason that we do not know is read as `other-error`. */
export function parseServerFinal(text: string): ScramResult<ServerFinal> {
  if (!isPlain(text)) return bad;
  const error = readAttributes(text, ['e']);
  if (error.ok)
    return good({ error: scramReasons.find((reason) => reason === error.value.e) ?? 'other-error' });
  const attributes = readAttributes(text, ['v']);
  if (!attributes.ok) return attributes;
  const signature = fromBase64(attributes.value.v);
  return signature?.length === 32 ? good({ signature }) : bad;
}

const bad = { ok: false, reason: 'invalid-encoding' } as const;

function good<T>(value: T): ScramResult<T> {
  return { ok: true, value };
}

/** Printable ASCII without a space, within bounds: no CR, LF, NUL or look-alike gets past this line. */
function isPlain(text: string): boolean {
  return text.length <= maxScramCharacters && /^[\x21-\x7e]+$/.test(text);
}

const serverFirstNames = ['r', 's', 'i', 'k', 'd', 'o', 'q'] as const;

/** Cuts `a=1,b=2` into exactly the first `count` named attributes, in that order, each with a value; the others read as empty. */
function readAttributes<Name extends string>(
  text: string,
  names: readonly Name[],
  count = names.length,
): ScramResult<Record<Name, string>> {
  const parts = text.split(',');
  if (parts.some((part) => part.startsWith('m='))) return { ok: false, reason: 'extensions-not-supported' };
  if (parts.length !== count) return bad;
  const values: Partial<Record<Name, string>> = {};
  for (const [index, name] of names.entries()) {
    const [prefix, part = ''] = [`${name}=`, parts[index]];
    if (index < count && !(part.startsWith(prefix) && part.length > prefix.length)) return bad;
    values[name] = part.slice(prefix.length);
  }
  return good(values as Record<Name, string>);
}

function parseFlag(text: string): BindingFlag | undefined {
  if (text === 'n') return { flag: 'n' };
  if (text === 'y') return { flag: 'y' };
  const name = /^p=([A-Za-z0-9.-]{1,32})$/.exec(text)?.[1];
  return name === undefined ? undefined : { flag: 'p', name };
}

/** A name as it must stand in a message: lower-case already, so that `=2C` and capitals are refused and not rewritten. */
function parseName(text: string): Username | undefined {
  try {
    const username = parseUsername(text);
    return username === text ? username : undefined;
  } catch (error) {
    if (error instanceof ChatError) return undefined;
    throw error;
  }
}

function isNonce(text: string, min: number, max: number): boolean {
  return text.length >= min && text.length <= max;
}

function isSuite(text: string): boolean {
  return /^[A-Z0-9-]{1,64}$/.test(text);
}

function isDigest(text: string): boolean {
  return fromBase64(text)?.length === 32;
}
