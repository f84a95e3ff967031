import { escapeForTerminal } from '../escape.ts';

/**
 * What troff would take for something else: its escape character, and what it typesets as another character, so that what is
 * copied from a page would no longer be what was written (groff_man_style(7), "Portability").
 */
const special: Readonly<Record<string, string>> = {
  '\\': '\\e',
  '-': '\\-',
  "'": '\\(aq',
  '`': '\\(ga',
  '^': '\\(ha',
  '~': '\\(ti',
  '"': '\\(dq',
  // Shown where there are only ASCII characters too; what follows keeps it from being a sentence's end.
  '…': '...\\&',
};

/** One line of text as troff shows it, character for character; beyond ASCII by number, so that no locale has a say. */
export function roffText(text: string): string {
  return escapeForTerminal(text).replace(
    /[\\\-'`^~"]|[^ -~]/gu,
    (character) =>
      special[character] ??
      `\\[u${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
  );
}

/** Text in bold: what is typed as it stands. */
export const bold = (text: string): string => `\\fB${roffText(text)}\\fR`;

/** Text in italics, which a terminal underlines: what something else is put in the place of. */
export const italic = (text: string): string => `\\fI${roffText(text)}\\fR`;

/** How a command is typed: words and flags as they stand, names in capitals to be replaced. */
export function usageText(usage: string): string {
  return usage.replace(
    /\[flags\]|--?[a-z][a-z-]*|[a-z][a-z-]*|[A-Z][A-Z0-9_-]*|[^A-Za-z[-]+|[[-]/g,
    (part) => {
      if (part === '[flags]') return `[${italic('flags')}]`;
      if (/^-*[a-z]/.test(part)) return bold(part);
      return /^[A-Z]/.test(part) ? italic(part) : roffText(part);
    },
  );
}

/** Lines of the source are no longer than this where a blank allows it. */
const sourceColumns = 78;

/**
 * Escaped text as lines of source. A sentence ends its line, which is how troff knows its end; a line that begins with a
 * control character (a dot; an apostrophe is escaped already) begins with nothing before it.
 */
export function filled(escaped: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of escaped.split(/\s+/).filter((part) => part !== '')) {
    if (line !== '' && line.length + 1 + word.length > sourceColumns) {
      lines.push(line);
      line = '';
    }
    if (line !== '') line += ' ';
    else if (word.startsWith('.')) line = '\\&';
    line += word;
    if (/[.?!]$/.test(word)) {
      lines.push(line);
      line = '';
    }
  }
  return line === '' ? lines : [...lines, line];
}

/** Text of one or more paragraphs, an empty line between two, each after `.PP`. */
export function paragraphs(text: string): string[] {
  return text.split(/\n{2,}/).flatMap((part) => ['.PP', ...filled(roffText(part.replaceAll('\n', ' ')))]);
}

/** A term, already escaped, and what is said of it, indented below or beside it. */
export function tagged(tag: string, text: string): string[] {
  const [first = [], ...more] = text
    .split(/\n{2,}/)
    .map((part) => filled(roffText(part.replaceAll('\n', ' '))));
  return [
    '.TP',
    tag.startsWith('.') ? `\\&${tag}` : tag,
    ...first,
    ...more.flatMap((lines) => ['.IP', ...lines]),
  ];
}

/** A heading: `.SH` for a section, `.SS` for a part of one. */
export const heading = (macro: '.SH' | '.SS', text: string): string => `${macro} "${roffText(text)}"`;
