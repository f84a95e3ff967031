/** A piece of a command line as a shell reads it. */
export interface ShellWords {
  /** Without their quotes; the last one is where the piece ends, and empty behind a blank. */
  readonly words: readonly string[];
  /** The quote that is still open at the end. */
  readonly quote: "'" | '"' | '';
}

/** What a backslash takes its meaning from between double quotes (POSIX 2.2.3); before others it is a backslash. */
const escapable = /["\\$`]/;

/** What stands between words; other kinds of space, those of Unicode among them, are part of one. */
const blank = /[ \t\n]/;

/** Cuts what was typed so far into words. Nothing is expanded: no name needs it, and completing must run no code. */
export function splitShellWords(line: string): ShellWords {
  const words: string[] = [];
  let word = '';
  let isBegun = false;
  let quote: ShellWords['quote'] = '';
  for (let at = 0; at < line.length; at += 1) {
    const sign = line.charAt(at);
    if (quote === '' && blank.test(sign)) {
      if (isBegun) words.push(word);
      word = '';
      isBegun = false;
      continue;
    }
    isBegun = true;
    if (sign === '\\' && (quote === '' || (quote === '"' && escapable.test(line.charAt(at + 1))))) {
      at += 1;
      word += line.charAt(at);
    } else if (quote !== '' ? sign === quote : sign === "'" || sign === '"') {
      quote = quote === '' ? (sign as ShellWords['quote']) : '';
    } else {
      word += sign;
    }
  }
  return { words: [...words, word], quote };
}

/** Spells a word so that bash reads it as it is, inside the quote that is open. */
export function quoteForBash(word: string, quote: ShellWords['quote']): string {
  if (quote === "'") return word.replaceAll("'", "'\\''");
  if (quote === '"') return word.replace(/["\\$`]/g, '\\$&');
  return word.replace(/[^\w@%+=:,./\u0080-\u{10ffff}-]/gu, '\\$&');
}
