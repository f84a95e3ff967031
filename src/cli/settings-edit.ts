import { isMap, isScalar, type Node, type Pair, Scalar, stringify } from 'yaml';
import { openSettings } from './settings-yaml.ts';

/** What a key is set to; undefined takes it out. */
export type NewValue = string | boolean | undefined;

/**
 * Answers `text` with one key set or taken out and every other line, comments too, as it was. Throws `invalid` for what is
 * no YAML. A key that is given twice is given once afterwards.
 */
export function editSettings(path: string, text: string, key: string, value: NewValue): string {
  const edited = editLines(path, text, key, value);
  // Where the lines are not one key each (`{a: 1, b: 2}`, an end mark), the document is written anew.
  return edited !== undefined && says(path, edited, key, value)
    ? edited
    : editDocument(path, text, key, value);
}

/** True when `text` can be read and says what was meant. */
function says(path: string, text: string, key: string, value: NewValue): boolean {
  try {
    const { map } = openSettings(path, text);
    const found = map?.items.filter((pair) => isOf(pair, key)) ?? [];
    if (value === undefined) return found.length === 0;
    return found.length === 1 && isScalar(found[0]?.value) && found[0].value.value === value;
  } catch {
    return false;
  }
}

function isOf({ key }: Pair, name: string): boolean {
  return isScalar(key) && key.value === name;
}

/** Changes the lines of the key alone; undefined when they have other keys on them. */
function editLines(path: string, text: string, key: string, value: NewValue): string | undefined {
  const { map } = openSettings(path, text);
  if (map?.flow) return undefined;
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const pairs = (map?.items ?? []).filter((pair) => isOf(pair, key));
  const line = value === undefined ? '' : `${key}: ${spelled(value)}${newline}`;
  if (pairs.length === 0) {
    const isWhole = text === '' || text.endsWith('\n');
    return `${text}${isWhole || line === '' ? '' : newline}${line}`;
  }
  let edited = text;
  // From the last to the first, so that places before stay where they are.
  for (const [index, pair] of [...pairs.entries()].reverse()) {
    const { start, end } = linesOf(edited, pair);
    const node = pair.value;
    const isPlain =
      isScalar(node) && node.value !== null && node.type?.startsWith('BLOCK') !== true && node.range;
    if (index > 0 || value === undefined) edited = edited.slice(0, start) + edited.slice(end);
    else if (isPlain) edited = edited.slice(0, isPlain[0]) + spelled(value) + edited.slice(isPlain[1]);
    else edited = edited.slice(0, start) + line + edited.slice(end);
  }
  return edited;
}

function spelled(value: string | boolean): string {
  return stringify(value, { lineWidth: 0 }).trimEnd();
}

/** From the beginning of the key's line to the end of the value's. */
function linesOf(text: string, { key, value }: Pair): { start: number; end: number } {
  const last = ((value ?? key) as Node).range?.[1] ?? 0;
  const start = text.lastIndexOf('\n', ((key as Node).range?.[0] ?? 0) - 1) + 1;
  // The end of a block of text is the beginning of the next line already.
  const newline = text.indexOf('\n', Math.max(last - 1, 0));
  return { start, end: newline < 0 ? text.length : newline + 1 };
}

function editDocument(path: string, text: string, key: string, value: NewValue): string {
  const { document, map } = openSettings(path, text);
  if (map !== undefined) {
    const first = value === undefined ? -1 : map.items.findIndex((pair) => isOf(pair, key));
    map.items = map.items.filter((pair, index) => !isOf(pair, key) || index === first);
  }
  if (value !== undefined) document.set(key, new Scalar(value));
  if (!isMap(document.contents) || document.contents.items.length > 0)
    return document.toString({ lineWidth: 0 });
  return '';
}
