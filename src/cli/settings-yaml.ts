import {
  type Document,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type Pair,
  parseDocument,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { ChatError } from '../core/errors.ts';
import { didYouMean } from './did-you-mean.ts';
import { usageError } from './options.ts';
import type { FileKeys, FileValue } from './settings-keys.ts';

/** What a settings file says, key by key, and everything that is wrong with it. */
export interface ParsedSettings {
  readonly values: ReadonlyMap<string, FileValue>;
  readonly problems: readonly ChatError[];
}

/** What YAML's own complaints mean in a file of keys and values. */
const meanings: Partial<Record<YAMLError['code'], string>> = {
  TAB_AS_INDENT: 'a tab stands where only spaces may',
  MULTILINE_IMPLICIT_KEY: 'a line is written KEY: VALUE, with a space after the colon',
  BLOCK_AS_IMPLICIT_KEY:
    'there are two keys where one belongs; a value with a colon and a space in it goes in quotes',
  UNEXPECTED_TOKEN: 'something follows the value; a value with brackets goes in quotes',
  BAD_SCALAR_START: 'a value that begins with such a character goes in quotes',
  MISSING_CHAR: 'a quote or bracket is not closed',
  BAD_INDENT: 'a bracket is not closed, or the line is indented otherwise than its neighbours',
  BAD_DQ_ESCAPE: 'the backslash is no escape; a value with backslashes goes in single quotes',
  MULTIPLE_DOCS: 'a settings file is one document, and here a second one begins',
};

/** Words that name a secret in any program's settings. */
const secretShape =
  /^(?:chat[-_])?(?:pass(?:word|wd|phrase)?|secret|(?:(?:session|refresh|auth|access)[-_])?token|otp|totp|(?:private|api)[-_]?key|credentials?)$/i;

/** A settings file taken apart as it is written. */
export interface SettingsDocument {
  readonly document: Document.Parsed;
  /** Undefined for a file without any key. */
  readonly map: YAMLMap | undefined;
  readonly lines: LineCounter;
}

/** Takes a settings file apart; throws `invalid` with file, line and key for what is no YAML, or no keys and values. */
export function openSettings(path: string, text: string): SettingsDocument {
  const lines = new LineCounter();
  // Keys that are given twice are told of by `readPairs`, which knows both lines.
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: 'error',
  });
  // A tag or a directive that it does not know is a warning to YAML, and to a settings file a mistake.
  const [broken] = [...document.errors, ...document.warnings];
  if (broken !== undefined) throw explain(path, document, lines, broken);
  const { contents } = document;
  if (isMap(contents)) return { document, map: contents, lines };
  if (contents === null || (isScalar(contents) && contents.value === null))
    return { document, map: undefined, lines };
  throw usageError(`${path}:1: a settings file has lines of KEY: VALUE, and this is something else`);
}

/**
 * Reads one level of keys and values: unknown keys, keys given twice, values of another type and secrets are problems,
 * `invalid` (exit 2), each with file, line and key in its text. Throws as {@link openSettings} does.
 */
export function parseSettings(path: string, text: string, keys: FileKeys): ParsedSettings {
  const { map, lines } = openSettings(path, text);
  return readPairs(path, map?.items ?? [], lines, keys);
}

function readPairs(path: string, pairs: readonly Pair[], lines: LineCounter, keys: FileKeys): ParsedSettings {
  const values = new Map<string, FileValue>();
  const problems: ChatError[] = [];
  const firstLines = new Map<string, number>();
  for (const { key, value } of pairs) {
    const line = lineOf(key, lines);
    try {
      if (!isScalar(key)) throw usageError(`${path}:${line}: a key is a word, not a list or a map`);
      const name = String(key.value);
      const label = `${path}:${line}: ${name}`;
      const before = firstLines.get(name);
      if (before !== undefined)
        throw usageError(`${label} is given already in line ${before}; keep one`, name);
      firstLines.set(name, line);
      const known = Object.hasOwn(keys.known, name) ? keys.known[name] : undefined;
      if (known === undefined) throw unknownKey(label, name, keys);
      const plain = plainValue(label, name, known.type, value);
      known.check(label, plain);
      values.set(name, { value: plain, line, label });
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      problems.push(error);
    }
  }
  return { values, problems };
}

/** What is wrong with a key that no such file has, and what was meant. */
export function unknownKey(label: string, name: string, keys: FileKeys): ChatError {
  if (secretShape.test(name)) return usageError(`${label}: ${keys.secretHint}`, name);
  const names = Object.keys(keys.known);
  const hint =
    didYouMean(name.toLowerCase().replaceAll('_', '-'), names) || `; there are ${names.join(', ')}`;
  return usageError(`${label}: there is no such setting${hint}`, name);
}

/** The value as it would be typed; a number keeps its digits. */
function plainValue(
  label: string,
  name: string,
  type: FileKeys['known'][string]['type'],
  node: unknown,
): string | boolean {
  if (!isScalar(node)) {
    const isMissing = node === null;
    throw usageError(
      isMissing ? `${label} has no value` : `${label} takes one value, not a list, a map or an alias`,
      name,
    );
  }
  const { value } = node;
  if (value === null)
    throw usageError(`${label} has no value; put ~ and null in quotes if they are meant`, name);
  const shown = JSON.stringify(typeof value === 'bigint' ? String(value) : value);
  if (type === 'switch') {
    if (typeof value === 'boolean') return value;
    throw usageError(`${label} takes true or false, not ${shown}`, name);
  }
  if (type === 'number') {
    if (typeof value === 'number' || typeof value === 'bigint') return String(value);
    throw usageError(`${label} takes a number, not ${shown}`, name);
  }
  if (typeof value === 'string') return value;
  throw usageError(`${label} takes text; put it in quotes: "${node.source ?? String(value)}"`, name);
}

function lineOf(node: unknown, lines: LineCounter): number {
  const range = isNode(node) ? node.range : undefined;
  return range ? lines.linePos(range[0]).line : 1;
}

/** One complaint of YAML's, with the key that it is about: the last one that begins before it. */
function explain(path: string, document: Document.Parsed, lines: LineCounter, error: YAMLError): ChatError {
  const pairs = isMap(document.contents) ? document.contents.items : [];
  const key = pairs
    .map((pair) => pair.key as unknown)
    .findLast((found) => isScalar(found) && (found.range?.[0] ?? 0) <= error.pos[0]);
  const name =
    isScalar(key) && typeof key.value === 'string' && !/\s/.test(key.value) ? key.value : undefined;
  // What is never closed is noticed at the end of the file, and is wrong where it begins.
  const line =
    error.code === 'MISSING_CHAR' && key !== undefined
      ? lineOf(key, lines)
      : lines.linePos(error.pos[0]).line;
  const meaning = meanings[error.code] ?? error.message;
  return usageError(
    `${path}:${line}: ${name === undefined ? '' : `${name}: `}this is no YAML: ${meaning}`,
    name,
  );
}
