import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { devNull } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { usageError } from '../../src/cli/options.ts';
import { clientKeys } from '../../src/cli/settings.ts';
import { readSettingsFile } from '../../src/cli/settings-file.ts';
import type { FileKeys } from '../../src/cli/settings-keys.ts';
import { temporaryDirectory } from './support/fake-host.ts';

async function fileOf(content: string | Uint8Array): Promise<string> {
  const path = join(await temporaryDirectory(), 'config.yaml');
  await writeFile(path, content);
  return path;
}

/** What is wrong with a file, with `FILE` in the place of its path. */
async function problemsOf(content: string | Uint8Array, keys: FileKeys = clientKeys): Promise<string[]> {
  const path = await fileOf(content);
  const { problems } = await readSettingsFile(path, keys, undefined);
  expect(problems.every(({ code }) => code === 'invalid')).toBe(true);
  return problems.map(({ message }) => message.replaceAll(path, 'FILE'));
}

const numbers: FileKeys = {
  known: {
    count: {
      type: 'number',
      check: (label, value) => {
        if (value !== '12') throw usageError(`${label} takes 12, not ${value}`);
      },
    },
  },
  secretHint: 'not here',
};

describe('a settings file', () => {
  it('gives text, numbers as digits, and switches, each with its line', async () => {
    const path = await fileOf(
      '# mine\nserver: chat.example.org:8080 # ours\n\nquiet: true\noutput: "json"\nverbose: false\n',
    );
    const { exists, values, problems } = await readSettingsFile(path, clientKeys, undefined);
    expect({ exists, problems }).toEqual({ exists: true, problems: [] });
    expect(Object.fromEntries(values)).toEqual({
      server: { value: 'chat.example.org:8080', line: 2, label: `${path}:2: server` },
      quiet: { value: true, line: 4, label: `${path}:4: quiet` },
      output: { value: 'json', line: 5, label: `${path}:5: output` },
      verbose: { value: false, line: 6, label: `${path}:6: verbose` },
    });
    const counted = await readSettingsFile(await fileOf('count: 12'), numbers, undefined);
    expect(counted.values.get('count')).toMatchObject({ value: '12', line: 1 });
  });

  it.each(['', '\n', '# only a comment\n', '---\n', '{}', '\ufeff# marked\n'])(
    'may be empty: %j',
    async (text) => {
      expect(await problemsOf(text)).toEqual([]);
    },
  );

  it.each([
    'server: a:1\r\nquiet: true\r\n',
    '\ufeffserver: a:1\nquiet: true\n',
    '{server: "a:1", quiet: true}',
  ])('may be written like %j', async (text) => {
    const { values, problems } = await readSettingsFile(await fileOf(text), clientKeys, undefined);
    expect([values.get('server')?.value, values.get('quiet')?.value, problems]).toEqual(['a:1', true, []]);
  });

  it('may be missing, unless somebody named it', async () => {
    const path = join(await temporaryDirectory(), 'none.yaml');
    const missing = { path, exists: false, values: new Map() };
    expect(await readSettingsFile(path, clientKeys, undefined)).toEqual({ ...missing, problems: [] });
    const { problems } = await readSettingsFile(path, clientKeys, '--config');
    expect(problems.map(({ code, message }) => [code, message])).toEqual([
      ['invalid', `--config: there is no file ${path}`],
    ]);
  });

  it('is none when the null device is named', async () => {
    expect(await readSettingsFile(devNull, clientKeys, '--config')).toEqual({
      path: devNull,
      exists: true,
      values: new Map(),
      problems: [],
    });
  });

  it.each([
    ['sever: a:1\n', 'FILE:1: sever: there is no such setting; did you mean server?'],
    ['\nno_color: true\n', 'FILE:2: no_color: there is no such setting; did you mean no-color?'],
    ['Output: json\n', 'FILE:1: Output: there is no such setting; did you mean output?'],
    [
      'hostname: a\n',
      'FILE:1: hostname: there is no such setting; there are server, context, output, quiet, verbose, no-color, screen-reader, trust, fingerprint',
    ],
    ['quiet: yes\n', 'FILE:1: quiet takes true or false, not "yes"'],
    ['quiet: 1\n', 'FILE:1: quiet takes true or false, not 1'],
    ['quiet: "true"\n', 'FILE:1: quiet takes true or false, not "true"'],
    ['quiet:\n', 'FILE:1: quiet has no value; put ~ and null in quotes if they are meant'],
    ['context: 0x10\n', 'FILE:1: context takes text; put it in quotes: "0x10"'],
    ['context: true\n', 'FILE:1: context takes text; put it in quotes: "true"'],
    ['context: [a]\n', 'FILE:1: context takes one value, not a list, a map or an alias'],
    ['context:\n  name: a\n', 'FILE:1: context takes one value, not a list, a map or an alias'],
    ['context: *a\n', 'FILE:1: context takes one value, not a list, a map or an alias'],
    ['context: A B\n', "FILE:1: context takes 1 to 32 characters of a-z, 0-9, '.', '_' and '-'"],
    ['context: ""\n', 'FILE:1: context must not be empty'],
    ['output: xml\n', 'FILE:1: output takes text, json, not "xml"'],
    ['trust: sometimes\n', 'FILE:1: trust takes on-first-use, always, never, not "sometimes"'],
    ['server: a:b\n', 'FILE:1: server: a port is a number from 1 to 65535'],
    [
      'fingerprint: SHA1:x\n',
      'FILE:1: fingerprint takes SHA256: and 43 characters, as `chat serve` prints it',
    ],
    ['quiet: true\n\nquiet: true\n', 'FILE:3: quiet is given already in line 1; keep one'],
    [
      'constructor: 1\n',
      expect.stringContaining('FILE:1: constructor: there is no such setting; there are '),
    ],
    ['quiet: true\n? [a]\n: b\n', 'FILE:2: a key is a word, not a list or a map'],
  ])('with %j is refused, naming file, line and key', async (text, problem) => {
    expect(await problemsOf(text)).toEqual([problem]);
  });

  it.each([
    ['count: twelve', 'FILE:1: count takes a number, not "twelve"'],
    ['count: "12"', 'FILE:1: count takes a number, not "12"'],
    ['count: true', 'FILE:1: count takes a number, not true'],
    ['count: 13', 'FILE:1: count takes 12, not 13'],
    ['count: 12.5', 'FILE:1: count takes 12, not 12.5'],
  ])('with %j for a number is refused', async (text, problem) => {
    expect(await problemsOf(text, numbers)).toEqual([problem]);
  });

  it.each(['password', 'Password', 'token', 'session_token', 'otp', 'chat_password', 'api-key', 'secret'])(
    'with a secret is refused with a hint: %s',
    async (key) => {
      expect(await problemsOf(`${key}: xyzzy\n`)).toEqual([
        `FILE:1: ${key}: a settings file is no place for a secret; use --password-file, --password-stdin or CHAT_PASSWORD, or CHAT_TOKEN for a token`,
      ]);
    },
  );

  it.each([
    [
      'server: [::1]:8080\n',
      'FILE:1: server: this is no YAML: something follows the value; a value with brackets goes in quotes',
    ],
    [
      'quiet: true\nserver: "a\noutput: json\n',
      'FILE:2: server: this is no YAML: a quote or bracket is not closed',
    ],
    ['quiet: true\n\tserver: a\n', expect.stringMatching(/^FILE:2: quiet: this is no YAML: /)],
    ['\tserver: a\n', 'FILE:1: this is no YAML: a tab stands where only spaces may'],
    [
      'server:a\noutput: json\n',
      'FILE:1: this is no YAML: a line is written KEY: VALUE, with a space after the colon',
    ],
    [
      'server: a: b\n',
      expect.stringMatching(/^FILE:1: server: this is no YAML: there are two keys where one belongs/),
    ],
    [
      'server: @a\n',
      expect.stringMatching(/^FILE:1: server: this is no YAML: a value that begins with such/),
    ],
    [
      'server: "C:\\q"\n',
      expect.stringMatching(/^FILE:1: server: this is no YAML: the backslash is no escape/),
    ],
    [
      'quiet: true\n---\nquiet: false\n',
      expect.stringMatching(/^FILE:2: quiet: this is no YAML: .*second one begins$/),
    ],
    ['server: !!mine a\n', expect.stringMatching(/^FILE:1: server: this is no YAML: Unresolved tag/)],
    ['- server: a\n', 'FILE:1: a settings file has lines of KEY: VALUE, and this is something else'],
    ['only words\n', 'FILE:1: a settings file has lines of KEY: VALUE, and this is something else'],
  ])('that is no YAML says where and why: %j', async (text, problem) => {
    expect(await problemsOf(text)).toEqual([problem]);
  });

  it('tells of everything that is wrong, and keeps what is right', async () => {
    const path = await fileOf('sever: a\nquiet: true\noutput: xml\n');
    const { values, problems } = await readSettingsFile(path, clientKeys, undefined);
    expect([...values.keys()]).toEqual(['quiet']);
    expect(problems.map(({ details }) => details.field)).toEqual(['sever', `${path}:3: output`]);
  });

  it.each([
    ['Latin-1', Buffer.from('# one\nserver: caf\xe9\n', 'latin1'), 2],
    ['UTF-16 with its mark', Buffer.from('\ufeffserver: a\n', 'utf16le'), 1],
    ['UTF-16 without', Buffer.from('server: a\n', 'utf16le'), 1],
    ['a NUL at the end', Buffer.from('quiet: true\n\n\0'), 3],
  ])('in %s is refused with the line', async (_name, bytes, line) => {
    expect(await problemsOf(bytes)).toEqual([`FILE:${line}: is not UTF-8; save the file as UTF-8`]);
  });

  it('of more than a megabyte is refused, and one of just that is not', async () => {
    const of = (size: number) => `${'#'.repeat(size - 1)}\n`;
    expect(await problemsOf(of(1_048_576))).toEqual([]);
    expect(await problemsOf(of(1_048_577))).toEqual([
      'FILE: has more than 1048576 bytes; that is no settings file',
    ]);
  });

  it('that is a directory is refused', async () => {
    const path = join(await temporaryDirectory(), 'config.yaml');
    await mkdir(path);
    const { problems } = await readSettingsFile(path, clientKeys, undefined);
    expect(problems.map(({ message }) => message)).toEqual([
      `${path}: is no file; settings are read from a file`,
    ]);
  });

  it.runIf(process.platform === 'linux')('that never ends, or waits for somebody, is refused', async () => {
    for (const path of ['/dev/zero', '/dev/tty']) {
      const { problems } = await readSettingsFile(path, clientKeys, '--config');
      expect(problems.map(({ message }) => message)).toEqual([
        `${path}: is no file; settings are read from a file`,
      ]);
    }
  });

  it.runIf(process.getuid?.() !== 0)('that may not be read says so', async () => {
    const path = await fileOf('quiet: true\n');
    await chmod(path, 0);
    const { problems } = await readSettingsFile(path, clientKeys, undefined);
    expect(problems.map(({ message }) => message)).toEqual([
      `${path}: cannot read it (EACCES); check its permissions`,
    ]);
  });

  it('below something that is no directory cannot be read', async () => {
    const path = join(await fileOf(''), 'config.yaml');
    const { problems } = await readSettingsFile(path, clientKeys, undefined);
    expect(problems.map(({ message }) => message)).toEqual([
      `${path}: cannot read it (ENOTDIR); check its permissions`,
    ]);
  });
});
