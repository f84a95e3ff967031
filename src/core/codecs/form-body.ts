import { ChatError } from '../errors.ts';
import type { FormFields } from './http-form.ts';

/** Fields and parts that one form may have: nobody's form has more than a handful. */
export const maxFormFields = 64;

/** A body of a kind that forms do not come in; answered with 415. */
export class UnknownFormKind extends Error {}

/** What a form's body may be. */
export const formKinds = [
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'application/json',
] as const;

type FormKind = (typeof formKinds)[number];

const readers: Readonly<Record<FormKind, (body: FormBody) => FormEntries | Promise<FormEntries>>> = {
  'application/x-www-form-urlencoded': urlEncoded,
  'multipart/form-data': multipart,
  'application/json': json,
};

/** A body as it came. */
interface FormBody {
  /** The whole `Content-Type`. */
  readonly contentType: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly text: string;
}

type FormEntries = Iterable<readonly [name: string, value: unknown]>;

/**
 * Reads a form in any of its three spellings; an empty body is an empty form. Throws {@link UnknownFormKind} for another kind, and
 * `invalid` or `too-large` for what is broken, given twice, a file, or not among `allowed`.
 */
export async function readForm(
  contentType: string | undefined,
  bytes: Uint8Array<ArrayBuffer>,
  allowed: readonly string[],
): Promise<FormFields> {
  if (bytes.length === 0) return {};
  const body: FormBody = { contentType: contentType ?? '', bytes, text: utf8Text(bytes) };
  const entries = await readers[kindOf(body.contentType)](body);
  // Without a prototype: no name means anything by itself (ASVS 15.3.6).
  const fields: Record<string, unknown> = Object.create(null);
  for (const [name, value] of entries) {
    const field = shown(name);
    if (!allowed.includes(name)) {
      throw new ChatError('invalid', `${field}: there is no such field here`, { field });
    }
    if (Object.hasOwn(fields, name)) throw new ChatError('invalid', `${field}: give it once`, { field });
    fields[name] = value;
  }
  return { ...fields };
}

function kindOf(contentType: string): FormKind {
  const [type = '', ...parameters] = contentType.split(';').map((part) => part.trim());
  const kind = formKinds.find((one) => one === type.toLowerCase());
  if (!kind) throw new UnknownFormKind();
  const charset = parameters.find((parameter) => /^charset\s*=/i.test(parameter));
  if (charset && !/^charset\s*=\s*"?utf-?8"?$/i.test(charset)) throw new UnknownFormKind();
  return kind;
}

function utf8Text(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ChatError('invalid', 'the body is not UTF-8');
  }
}

/** The URL Standard, section 5.1; but nothing is guessed: what is not well-formed is refused. */
function urlEncoded({ text }: FormBody): FormEntries {
  const pairs = text.split('&').filter((pair) => pair !== '');
  refuseTooMany(pairs.length);
  return pairs.map((pair) => {
    const end = pair.indexOf('=');
    const name = end < 0 ? pair : pair.slice(0, end);
    return [decoded(name), end < 0 ? '' : decoded(pair.slice(end + 1))];
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new ChatError('invalid', 'the body is not a URL-encoded form');
  }
}

/** RFC 7578, read by the platform. */
async function multipart({ contentType, bytes }: FormBody): Promise<FormEntries> {
  const form = await new Response(bytes, { headers: { 'Content-Type': contentType } })
    .formData()
    .catch(() => {
      throw new ChatError('invalid', 'the body is not a multipart form');
    });
  const parts = [...form];
  refuseTooMany(parts.length);
  for (const [name, value] of parts) {
    if (typeof value === 'string') continue;
    const field = shown(name);
    throw new ChatError('invalid', `${field}: files are not taken here`, { field });
  }
  return parts;
}

function json({ text }: FormBody): FormEntries {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ChatError('invalid', 'the body is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ChatError('invalid', 'the body is a JSON object');
  }
  const entries = Object.entries(value);
  refuseTooMany(entries.length);
  return entries;
}

function refuseTooMany(count: number): void {
  if (count > maxFormFields) throw new ChatError('too-large', `a form has at most ${maxFormFields} fields`);
}

/** A stranger's name, safe in a sentence of ours. */
function shown(name: string): string {
  return name.slice(0, 64).replace(/[^\w.-]/g, '?');
}
