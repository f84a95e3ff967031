import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Configuration, type SettledValue, settleConfiguration } from '../../src/cli/configuration.ts';
import type { Place } from '../../src/cli/directories.ts';
import { globalOptions, type SettingKey, settingKeys } from '../../src/cli/settings.ts';
import { otherFingerprint, serverFingerprint } from './support/fake-client.ts';
import { fakeHost, runOn, temporaryDirectory } from './support/fake-host.ts';

/** What stands in each place that settings are read from. */
interface World {
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly system?: string;
  readonly contexts?: object | string;
}

const paths = (home: string) => ({
  user: join(home, 'config', 'chat', 'config.yaml'),
  system: join(home, 'system.yaml'),
  contexts: join(home, 'config', 'chat', 'contexts.json'),
});

async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

async function settle(world: World, withFiles = true): Promise<Configuration & { home: string }> {
  const home = await temporaryDirectory();
  const at = paths(home);
  await put(at.system, world.system ?? '');
  if (world.user !== undefined) await put(at.user, world.user);
  if (world.contexts !== undefined) {
    await put(
      at.contexts,
      typeof world.contexts === 'string' ? world.contexts : JSON.stringify(world.contexts),
    );
  }
  const env = { XDG_CONFIG_HOME: join(home, 'config'), CHAT_SYSTEM_CONFIG: at.system, ...world.env };
  const place: Place = { platform: 'linux', homeDirectory: home, env };
  return { home, ...(await settleConfiguration(world.flags ?? {}, place, withFiles)) };
}

/** The value and the origin of one setting, `HOME` in the place of the directory. */
async function settled(key: SettingKey, world: World): Promise<unknown> {
  const { values, problems, home } = await settle(world);
  expect(problems).toEqual([]);
  const { value, origin } = values.find((found) => found.key === key) as SettledValue;
  return JSON.parse(JSON.stringify([value ?? null, origin]).replaceAll(home, 'HOME'));
}

async function problemsOf(world: World): Promise<string[]> {
  const { problems, home } = await settle(world);
  expect(problems.every(({ code }) => code === 'invalid')).toBe(true);
  return problems.map(({ message }) => message.replaceAll(home, 'HOME'));
}

/** For each setting two values that fit, and one that does not. */
const samples: Record<SettingKey, readonly [one: string | true, other: string | true, wrong: string]> = {
  server: ['chat://one:1', 'chat://other:2', 'a:b'],
  context: ['one', 'other', 'No Name'],
  output: ['json', 'text', 'xml'],
  quiet: [true, true, 'maybe'],
  verbose: [true, true, 'maybe'],
  'no-color': [true, true, 'maybe'],
  'screen-reader': [true, true, 'maybe'],
  trust: ['never', 'always', 'sometimes'],
  fingerprint: [serverFingerprint, otherFingerprint, 'SHA256:short'],
};

describe('a setting', () => {
  it('has a flag, a variable and a key of the file, and a default', async () => {
    const { settings, values, problems } = await settle({});
    expect([settings, problems]).toEqual([
      {
        format: 'text',
        screenReader: false,
        quiet: false,
        verbose: false,
        color: true,
        server: { scheme: 'chat', host: '127.0.0.1', port: 8080 },
        context: 'default',
        trust: undefined,
        fingerprint: undefined,
      },
      [],
    ]);
    expect(values.map(({ key, origin }) => [key, origin])).toEqual(
      settingKeys.map((key) => [key, { kind: 'default' }]),
    );
    expect(settingKeys).toEqual(Object.keys(samples));
  });

  it.each(settingKeys)(
    '%s is taken from flag, environment, own file and the machine’s, in this order',
    async (key) => {
      const [one, other] = samples[key];
      const name = globalOptions[key].env;
      const system = `${key}: ${other}\n`;
      const user = `# mine\n${key}: ${one}\n`;
      const env = { [name]: String(other) };
      const flags = { [key]: one };
      expect([
        await settled(key, { system }),
        await settled(key, { system, user }),
        await settled(key, { system, user, env }),
        await settled(key, { system, user, env, flags }),
      ]).toEqual([
        [other, { kind: 'file', path: 'HOME/system.yaml', line: 1 }],
        [one, { kind: 'file', path: 'HOME/config/chat/config.yaml', line: 2 }],
        [other, { kind: 'environment', name }],
        [one, { kind: 'flag', name: `--${key}` }],
      ]);
    },
  );

  it.each(settingKeys)('%s that does not fit is refused under the name of its source', async (key) => {
    const [one, , wrong] = samples[key];
    const name = globalOptions[key].env;
    expect((await problemsOf({ env: { [name]: wrong } })).map((text) => text.startsWith(name))).toEqual([
      true,
    ]);
    const place = 'HOME/config/chat/config.yaml:1: ';
    const inFile = await problemsOf({ user: `${key}: ${wrong}\n`, flags: { [key]: one } });
    expect(inFile.map((text) => text.startsWith(`${place}${key}`))).toEqual([true]);
    if (one === true) return;
    const asFlag = await problemsOf({ flags: { [key]: wrong } });
    expect(asFlag.map((text) => text.startsWith(`--${key}`))).toEqual([true]);
  });

  it.each(['quiet', 'verbose', 'no-color'] as const)(
    '%s of a file is switched off by the environment',
    async (key) => {
      const name = globalOptions[key].env;
      expect(await settled(key, { user: `${key}: true\n`, env: { [name]: '0' } })).toEqual([
        false,
        { kind: 'environment', name },
      ]);
    },
  );

  it('no-color comes from NO_COLOR too, when that is not empty and nothing of ours says otherwise', async () => {
    expect([
      await settled('no-color', { env: { NO_COLOR: '0' } }),
      await settled('no-color', { env: { NO_COLOR: '' } }),
      await settled('no-color', { env: { NO_COLOR: '1', CHAT_NO_COLOR: '0' } }),
    ]).toEqual([
      [true, { kind: 'environment', name: 'NO_COLOR' }],
      [false, { kind: 'default' }],
      [false, { kind: 'environment', name: 'CHAT_NO_COLOR' }],
    ]);
  });

  it('that is a problem counts as not given, and everything that is wrong is told of', async () => {
    const { settings, problems } = await settle({
      env: { CHAT_OUTPUT: 'xml', CHAT_QUIET: 'maybe' },
      user: 'output: json\nnothing: 1\n',
    });
    expect([settings.format, settings.quiet, problems.length]).toEqual(['json', false, 3]);
  });

  it('is read from flags and environment alone for a command that takes no files', async () => {
    const world = {
      user: 'nonsense',
      contexts: 'nonsense',
      env: { CHAT_OUTPUT: 'json' },
      flags: { config: 'x' },
    };
    const { settings, problems, files } = await settle(world, false);
    expect([settings.format, problems, files]).toEqual(['json', [], []]);
  });
});

describe('--config and CHAT_CONFIG', () => {
  it('name another file in the place of the person’s own, the flag first', async () => {
    const home = await temporaryDirectory();
    const [one, other] = [join(home, 'one.yaml'), join(home, 'other.yaml')];
    await writeFile(one, 'output: json\n');
    await writeFile(other, 'quiet: true\n');
    const world = { user: 'verbose: true\n', system: 'context: theirs\n', env: { CHAT_CONFIG: one } };
    const byVariable = await settle(world);
    expect(byVariable.settings).toMatchObject({ format: 'json', verbose: false, context: 'theirs' });
    expect(byVariable.files[0]?.path).toBe(one);
    const byFlag = await settle({ ...world, flags: { config: other } });
    expect(byFlag.settings).toMatchObject({ format: 'text', quiet: true, context: 'theirs' });
  });

  it('must name a file that is there', async () => {
    expect([
      await problemsOf({ flags: { config: '/nowhere/x.yaml' } }),
      await problemsOf({ env: { CHAT_CONFIG: '/nowhere/x.yaml' } }),
      await problemsOf({ env: { CHAT_SYSTEM_CONFIG: '/nowhere/x.yaml' } }),
      await problemsOf({ flags: { config: '' } }),
      await problemsOf({ flags: { config: ['a', 'b'] } }),
    ]).toEqual([
      ['--config: there is no file /nowhere/x.yaml'],
      ['CHAT_CONFIG: there is no file /nowhere/x.yaml'],
      ['CHAT_SYSTEM_CONFIG: there is no file /nowhere/x.yaml'],
      ['--config must not be empty'],
      ['--config is given more than once; give it once'],
    ]);
  });
});

describe('two settings that contradict each other', () => {
  it.each([
    [{ flags: { quiet: true, verbose: true } }, '--quiet and --verbose'],
    [{ env: { CHAT_QUIET: '1', CHAT_VERBOSE: '1' } }, 'CHAT_QUIET and CHAT_VERBOSE'],
    [
      { user: 'quiet: true\nverbose: true\n' },
      'HOME/config/chat/config.yaml:1: quiet and HOME/config/chat/config.yaml:2: verbose',
    ],
  ])('are refused when one source has both: %j', async (world, both) => {
    expect(await problemsOf(world)).toEqual([
      `${both} cannot be given together: they ask for opposite things`,
    ]);
  });

  it('hold from the earlier source otherwise', async () => {
    const of = async (world: World) => {
      const { settings, problems } = await settle(world);
      return [settings.quiet, settings.verbose, problems.length];
    };
    expect([
      await of({ user: 'quiet: true\n', flags: { verbose: true } }),
      await of({ user: 'verbose: true\n', env: { CHAT_QUIET: '1' } }),
      await of({ user: 'quiet: true\n', system: 'verbose: true\n' }),
      await of({ user: 'quiet: true\n', env: { CHAT_VERBOSE: '0' } }),
    ]).toEqual([
      [false, true, 0],
      [true, false, 0],
      [true, false, 0],
      [true, false, 0],
    ]);
  });

  it('of trust and fingerprint: the earlier source holds, the environment may have both, flags may not', async () => {
    const of = async (world: World) => {
      const { settings, problems } = await settle(world);
      return [settings.trust, settings.fingerprint, ...problems.map(({ message }) => message)];
    };
    const fingerprint = serverFingerprint;
    expect([
      await of({ flags: { trust: 'never' }, env: { CHAT_FINGERPRINT: fingerprint } }),
      await of({ flags: { fingerprint }, env: { CHAT_TRUST: 'always' } }),
      await of({ env: { CHAT_FINGERPRINT: fingerprint, CHAT_TRUST: 'always' } }),
      await of({ env: { CHAT_FINGERPRINT: fingerprint }, user: 'trust: always\n' }),
      await of({ flags: { trust: 'never', fingerprint } }),
    ]).toEqual([
      ['never', undefined],
      [undefined, fingerprint],
      ['always', fingerprint],
      [undefined, fingerprint],
      [
        undefined,
        undefined,
        '--trust and --fingerprint cannot be given together: a fingerprint names the one key to trust',
      ],
    ]);
  });

  it('a fingerprint of a file is for that file’s server, and not for one that is named elsewhere', async () => {
    const user = `server: one\nfingerprint: ${serverFingerprint}\n`;
    const of = async (world: World) => (await settle(world)).settings.fingerprint;
    expect([
      await of({ user }),
      await of({ user, flags: { server: 'other' } }),
      await of({ user, env: { CHAT_SERVER: 'other' } }),
      await of({ user: 'server: mine\n', system: user }),
      await of({ user: `fingerprint: ${serverFingerprint}\n`, system: 'server: one\n' }),
      await of({ user, contexts: { selected: 'work', contexts: { work: { server: 'other' } } } }),
      await of({ env: { CHAT_FINGERPRINT: serverFingerprint }, flags: { server: 'other' } }),
    ]).toEqual([
      serverFingerprint,
      undefined,
      undefined,
      undefined,
      serverFingerprint,
      undefined,
      serverFingerprint,
    ]);
  });
});

describe('a saved context', () => {
  const contexts = {
    selected: 'work',
    contexts: { work: { server: 'chat://work:1' }, home: { server: 'chat://home:2' } },
  };
  /** Server and context, each with the kind of place that it comes from. */
  const of = async (world: World): Promise<string[]> => {
    const { values, problems } = await settle({ contexts, ...world });
    expect(problems).toEqual([]);
    return values.slice(0, 2).map(({ value, origin }) => `${value} by ${origin.kind}`);
  };

  it('that is selected is used with its server when nothing else is said', async () => {
    const world = { contexts };
    expect([await settled('server', world), await settled('context', world)]).toEqual([
      ['chat://work:1', { kind: 'context', name: 'work' }],
      ['work', { kind: 'selected', path: 'HOME/config/chat/contexts.json' }],
    ]);
  });

  it('that is selected goes before the files and after flag and environment', async () => {
    const user = 'context: home\nserver: mine\n';
    expect([
      await of({ user }),
      await of({ user, env: { CHAT_CONTEXT: 'home' } }),
      await of({ env: { CHAT_CONTEXT: 'home' }, flags: { context: 'work' } }),
    ]).toEqual([
      ['chat://work:1 by context', 'work by selected'],
      ['chat://home:2 by context', 'home by environment'],
      ['chat://work:1 by context', 'work by flag'],
    ]);
  });

  it('gives way to --server, to CHAT_SERVER only when no flag names it', async () => {
    const env = { CHAT_SERVER: 'elsewhere' };
    expect([
      await of({ flags: { context: 'home', server: 'there' } }),
      await of({ flags: { context: 'home' }, env }),
      await of({ env }),
      await of({ env: { ...env, CHAT_CONTEXT: 'home' } }),
    ]).toEqual([
      ['chat://there:8080 by flag', 'home by flag'],
      ['chat://home:2 by context', 'home by flag'],
      ['chat://elsewhere:8080 by environment', 'work by selected'],
      ['chat://elsewhere:8080 by environment', 'home by environment'],
    ]);
  });

  it('of a name that was never saved has no server of its own', async () => {
    expect([
      await of({ flags: { context: 'constructor' }, env: { CHAT_SERVER: 'elsewhere' } }),
      await of({ flags: { context: 'new' } }),
    ]).toEqual([
      ['chat://elsewhere:8080 by environment', 'constructor by flag'],
      ['chat://127.0.0.1:8080 by default', 'new by flag'],
    ]);
  });

  it('called default is used when none is selected', async () => {
    expect(await of({ contexts: { contexts: { default: { server: 'chat://mine:3' } } } })).toEqual([
      'chat://mine:3 by context',
      'default by default',
    ]);
  });

  it.each([
    ['{', 'not JSON'],
    ['[]', 'it has no contexts'],
    ['null', 'it has no contexts'],
    ['{"contexts":{"work":{}}}', 'context work has no server'],
    ['{"contexts":{"work":null}}', 'context work has no server'],
    ['{"contexts":{"work":{"server":"a:b"}}}', 'context work: a port is a number from 1 to 65535'],
    [
      '{"contexts":{"A":{"server":"a"}}}',
      "context \"A\": takes 1 to 32 characters of a-z, 0-9, '.', '_' and '-'",
    ],
    ['{"contexts":{},"selected":1}', 'selected is no name'],
    ['{"contexts":{},"selected":"A"}', "selected takes 1 to 32 characters of a-z, 0-9, '.', '_' and '-'"],
  ])('file that is damaged is refused: %s', async (content, why) => {
    expect(await problemsOf({ contexts: content })).toEqual([
      `HOME/config/chat/contexts.json: is damaged (${why}); mend it, or move it away and save the contexts again`,
    ]);
  });
});

describe('a command', () => {
  it('ends with exit 2 and one line when a settings file does not fit, before anything else is done', async () => {
    const host = await fakeHost();
    const path = join(host.stateHome, 'config', 'chat', 'config.yaml');
    await put(path, 'server: one\n\nsever: a\noutput: xml\n');
    expect(await runOn(host, 'whoami')).toEqual({
      code: 2,
      stdout: '',
      stderr: `chat: ${path}:3: sever: there is no such setting; did you mean server?\n`,
    });
  });

  it('speaks as the settings file says, also of errors', async () => {
    const host = await fakeHost();
    await put(join(host.stateHome, 'config', 'chat', 'config.yaml'), 'output: json\n');
    const { code, stderr } = await runOn(host, 'whoami');
    expect([code, JSON.parse(stderr)]).toMatchObject([4, { error: { code: 'unauthenticated' } }]);
  });
});
