import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editSettings } from '../../src/cli/settings-edit.ts';
import { openSettings } from '../../src/cli/settings-yaml.ts';

const edit = (text: string, key: string, value: string | boolean | undefined) =>
  editSettings('FILE', text, key, value);

describe('setting a key', () => {
  it.each([
    ['', 'server: b:2\n'],
    ['# top\n', '# top\nserver: b:2\n'],
    ['quiet: true', 'quiet: true\nserver: b:2\n'],
    ['# a\nserver: a:1 # why\n\n# b\nquiet: true\n', '# a\nserver: b:2 # why\n\n# b\nquiet: true\n'],
    ['server:   "a"   # c\r\nquiet: true', 'server:   b:2   # c\r\nquiet: true'],
    ['quiet: true\r\n', 'quiet: true\r\nserver: b:2\r\n'],
    ['server:\nquiet: true\n', 'server: b:2\nquiet: true\n'],
    ['server: |\n  a\n  b\nquiet: true\n', 'server: b:2\nquiet: true\n'],
    ['server:\n  - a\n  - b\nquiet: true\n', 'server: b:2\nquiet: true\n'],
    ['server: a\nquiet: true\nserver: c\n', 'server: b:2\nquiet: true\n'],
    ['---\n# d\nquiet: true\n', '---\n# d\nquiet: true\nserver: b:2\n'],
    ['{quiet: true}\n', '{ quiet: true, server: b:2 }\n'],
    ['quiet: true\n...\n', 'quiet: true\nserver: b:2\n...\n'],
    ['  quiet: true\n', 'quiet: true\nserver: b:2\n'],
  ])('leaves every other line as it was: %j', (before, after) => {
    expect(edit(before, 'server', 'b:2')).toBe(after);
  });

  it.each([
    ['[::1]:80', 'server: "[::1]:80"\n'],
    ['true', 'server: "true"\n'],
    ['12', 'server: "12"\n'],
    ['a: b # c', 'server: "a: b # c"\n'],
    [true, 'server: true\n'],
  ])('puts %j in quotes when it would be something else', (value, after) => {
    expect(edit('', 'server', value)).toBe(after);
  });

  it('says afterwards what was meant, whatever text it is', () => {
    const texts = [
      '',
      'server: old # c\n',
      '{server: old}\n',
      'server: "old"',
      'quiet: true\nserver: |\n  old\n',
    ];
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.string({ minLength: 1 }), (text, value) => {
        const { document, map } = openSettings('FILE', edit(text, 'server', value));
        expect(document.get('server')).toBe(value);
        expect(map?.items.length).toBe(text.startsWith('quiet') ? 2 : 1);
      }),
    );
  });
});

describe('taking a key out', () => {
  it.each([
    ['', ''],
    ['# top\n', '# top\n'],
    ['# a\nserver: a:1 # why\n# b\nquiet: true\n', '# a\n# b\nquiet: true\n'],
    ['server: a', ''],
    ['quiet: true\nserver: >-\n  a\n  b\n', 'quiet: true\n'],
    ['server: a\nquiet: true\nserver: b\n', 'quiet: true\n'],
    ['{server: a}\n', ''],
    ['{server: a, quiet: true}\n', '{ quiet: true }\n'],
  ])('leaves every other line as it was: %j', (before, after) => {
    expect(edit(before, 'server', undefined)).toBe(after);
  });
});

describe('a file that is no YAML', () => {
  it.each(['server: [a\n', '- a\n', 'a: "\n'])('is not changed: %j', (text) => {
    expect(() => edit(text, 'server', 'b')).toThrowError(/^FILE:\d/);
    expect(() => edit(text, 'server', undefined)).toThrowError(/^FILE:\d/);
  });
});
