import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { searchBounds } from '../../src/core/policy.ts';
import { hasTerms, normalised, parseSearch, wordsOf } from '../../src/core/search-terms.ts';

const finds = (query: string, text: string): boolean => hasTerms(text, parseSearch(query));
const anyText = fc.string({ unit: 'binary', maxLength: 60 });

describe('the words of a text', () => {
  test.each<[string, string[]]>([
    ['The quick, brown fox!', ['the', 'quick', 'brown', 'fox']],
    ['CAFÉ café café ＣＡＦＥ', ['cafe', 'cafe', 'cafe', 'cafe']],
    ['Ёлка ГОРОД Ὀδυσσεύς ΟΔΥΣΣΕΥΣ', ['елка', 'город', 'οδυσσευσ', 'οδυσσευσ']],
    ['İstanbul STRASSE Straße ﬁn', ['istanbul', 'strasse', 'straße', 'fin']],
    ['مُحَمَّد שָׁלוֹם', ['محمد', 'שלום']],
    ["don't snake_case 10.0.0.1 a-b", ['don', 't', 'snake', 'case', '10', '0', '0', '1', 'a', 'b']],
    ['日本語とkatakanaのガ', ['日', '本', '語', 'と', 'katakana', 'の', 'ガ']],
    ['한국어 서울', ['한국어', '서울']],
    ['สวัสดี', ['ส', 'ว', 'ั', 'ส', 'ด', 'ี']],
    ['हिन्दी', ['हिन्दी']],
    ['ok👍🏽 👍', ['ok', '👍', '👍']],
    ['soft\u00adhyphen zero\u200bwidth', ['softhyphen', 'zerowidth']],
    ['½ ² Ⅷ', ['1', '2', '2', 'viii']],
    ['\u0000 \ud800 -- "*" ( )', []],
    ['', []],
  ])('%j', (text, words) => {
    expect(wordsOf(text)).toEqual(words);
  });

  test('what counts of a word is its beginning, in whole characters', () => {
    const { wordCharacters } = searchBounds;
    expect(wordsOf('a'.repeat(wordCharacters))).toEqual(['a'.repeat(wordCharacters)]);
    expect(wordsOf('a'.repeat(wordCharacters + 1))).toEqual(['a'.repeat(wordCharacters)]);
    expect(wordsOf('𝼀'.repeat(wordCharacters + 1))).toEqual(['𝼀'.repeat(wordCharacters)]);
  });

  test('to normalise twice is to normalise once, for each character that there is', () => {
    const changed: string[] = [];
    for (let code = 0; code <= 0x10ffff; code++) {
      const once = normalised(String.fromCodePoint(code));
      if (normalised(once) !== once) changed.push(code.toString(16));
    }
    expect(changed).toEqual([]);
  });

  test('of any text, they are letters, digits and pictures, and are their own words', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const words = wordsOf(text);
        for (const word of words) expect(word).toMatch(/^(?:[\p{L}\p{N}\p{M}]+|\p{Extended_Pictographic})$/u);
        // What an engine could read as its own syntax is in none of them.
        expect(words.join('')).not.toMatch(/[\0-/:-@A-Z[-`{-\x7f]/);
        expect(wordsOf(words.join(' '))).toEqual(words);
      }),
    );
  });

  test('are the same however a text is composed, and whatever its case', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        for (const form of ['NFC', 'NFD', 'NFKC', 'NFKD'] as const)
          expect(wordsOf(text.normalize(form))).toEqual(wordsOf(text));
      }),
    );
    expect(wordsOf('ZÜRICH')).toEqual(wordsOf('zu\u0308rich'));
  });
});

describe('a search', () => {
  test.each<[string, ReturnType<typeof parseSearch>]>([
    [
      'Green build',
      [
        { words: ['green'], isPrefix: false },
        { words: ['build'], isPrefix: false },
      ],
    ],
    ['"green build"', [{ words: ['green', 'build'], isPrefix: false }]],
    ['bui*', [{ words: ['bui'], isPrefix: true }]],
    ['10.0.*', [{ words: ['10', '0'], isPrefix: true }]],
    ['"bui*"', [{ words: ['bui'], isPrefix: false }]],
    ['a*b', [{ words: ['a', 'b'], isPrefix: false }]],
    [
      'x"y z"w',
      [
        { words: ['x'], isPrefix: false },
        { words: ['y', 'z'], isPrefix: false },
        { words: ['w'], isPrefix: false },
      ],
    ],
    ['"" !! one', [{ words: ['one'], isPrefix: false }]],
    [
      'NEAR OR -not (a:b)',
      [
        { words: ['near'], isPrefix: false },
        { words: ['or'], isPrefix: false },
        { words: ['not'], isPrefix: false },
        { words: ['a', 'b'], isPrefix: false },
      ],
    ],
  ])('%s', (query, terms) => {
    expect(parseSearch(query)).toEqual(terms);
  });

  test.each(['', ' ', '""', '*', '-- !', '\u0000', '\u0301'])('for nothing is refused: %j', (query) => {
    expect(() => parseSearch(query)).toThrow('nothing to search for: give a word of letters or digits');
  });

  test('with a quote that has no end is refused', () => {
    expect(() => parseSearch('say "hello')).toThrow('a quoted phrase has no end: close it with another "');
  });

  test('has as many characters as there may be, and no more', () => {
    const { characters } = searchBounds;
    expect(parseSearch('a'.repeat(characters))).toHaveLength(1);
    expect(() => parseSearch('a'.repeat(characters + 1))).toThrow(
      `a search has at most ${characters} characters, this one has ${characters + 1}`,
    );
  });

  test('has as many words as there may be, and no more, however they are written', () => {
    const { words } = searchBounds;
    for (const between of [' ', '.']) {
      const most = Array.from({ length: words }, () => 'a').join(between);
      expect(parseSearch(most).flatMap((term) => term.words)).toHaveLength(words);
      expect(() => parseSearch(`${most}${between}a`)).toThrow(
        `a search has at most ${words} words, this one has ${words + 1}`,
      );
    }
  });

  test('is read or refused whatever it is, and never more than its bounds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (query) => {
        try {
          const count = parseSearch(query).flatMap(({ words }) => words).length;
          expect(count).toBeGreaterThan(0);
          expect(count).toBeLessThanOrEqual(searchBounds.words);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid', details: { field: 'q' } });
        }
      }),
    );
  });
});

describe('a text is found', () => {
  test.each<[string, string, boolean]>([
    ['green build', 'the BUILD is green', true],
    ['green build', 'the build is red', false],
    ['"is green"', 'the build is green', true],
    ['"green is"', 'the build is green', false],
    ['"build green"', 'the build is green', false],
    ['gre*', 'the build is green', true],
    ['gre', 'the build is green', false],
    ['reen*', 'the build is green', false],
    ["don't", 'I don’t know', true],
    ["don't", 't don', false],
    ['10.0.0.1', 'ping 10.0.0.1 now', true],
    ['10.0.0.1', 'ping 10.0.1.1 now', false],
    ['10.0.*', 'ping 10.0.1.1 now', true],
    ['本語', '日本語', true],
    ['語本', '日本語', false],
    ['日*', '日本語', true],
    ['👍', 'well done 👍🏿', true],
    ['a a', 'a', true],
    ['"a a"', 'a', false],
  ])('%s in %s: %s', (query, text, expected) => {
    expect(finds(query, text)).toBe(expected);
  });

  test('by each of its words, by their beginnings, and by all of it in quotes', () => {
    fc.assert(
      fc.property(anyText, fc.nat(), (text, choice) => {
        const words = wordsOf(text);
        const word = words[choice % (words.length || 1)];
        if (word === undefined) return;
        expect(finds(word, text)).toBe(true);
        const [first = ''] = word;
        // A mark at the beginning of a word is none when it stands alone.
        if (/[\p{L}\p{N}]/u.test(first)) expect(finds(`${first}*`, text)).toBe(true);
        expect(finds(`"${words.slice(0, 60).join(' ')}"`, text)).toBe(true);
      }),
    );
  });
});
