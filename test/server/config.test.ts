import { describe, expect, it } from 'vitest';
import { withoutPassword } from '../../src/cli/without-password.ts';
import { ChatError } from '../../src/core/errors.ts';
import type { ServerConfig } from '../../src/server/config/server-config.ts';
import type { ConfigSources } from '../../src/server/config/settle-setting.ts';
import { configKeys, readConfig, settleConfig } from '../../src/server/config.ts';
import { serveOptions } from '../../src/server/serve-options.ts';
import { type SettingName, settings } from '../../src/server/settings.ts';

const nothing: ConfigSources = { flags: {}, env: {}, platform: 'linux', homeDirectory: '/home/sam' };
const storeUrl = 'postgres://chat@127.0.0.1/chat';
/** What a setting cannot do without: mail has a sender, a certificate its key. */
const besides = (name: string): Record<string, string> => {
  if (/^(?:smtp-url|CHAT_SMTP_URL)$/.test(name)) return { 'mail-from': 'chat@example.org' };
  if (/^(?:tls-cert|CHAT_TLS_CERT)$/.test(name)) return { 'tls-key': '/etc/chat.key' };
  if (/^(?:proxy-protocol|CHAT_PROXY_PROTOCOL)$/.test(name)) return { 'trusted-proxy': '10.0.0.0/8' };
  if (/^(?:store|CHAT_STORE)$/.test(name)) return { 'cluster-secret': '/etc/secret' };
  if (/^(?:bus|CHAT_BUS)$/.test(name)) return { store: storeUrl, 'cluster-secret': '/etc/secret' };
  if (/^(?:cluster-secret|CHAT_CLUSTER_SECRET)$/.test(name)) return { store: storeUrl };
  return /^(?:tls-key|CHAT_TLS_KEY)$/.test(name) ? { 'tls-cert': '/etc/chat.crt' } : {};
};
const withFlag = (flag: string, value: unknown): ConfigSources => ({
  ...nothing,
  flags: { [flag]: value, ...besides(flag) },
});
const withEnv = (name: string, value: string): ConfigSources => ({
  ...nothing,
  flags: besides(name),
  env: { [name]: value },
});
const withFile = (key: string, value: string | boolean): ConfigSources => ({
  ...nothing,
  flags: besides(key),
  file: {
    path: '/etc/chat/server.yaml',
    values: new Map([[key, { value, line: 7, label: `FILE:7: ${key}` }]]),
    problems: [],
  },
});

const defaults: ServerConfig = {
  host: '127.0.0.1',
  port: 8080,
  dataDirectory: '/home/sam/.local/share/chat',
  backupDirectory: '/home/sam/.local/share/chat/backups',
  clearText: 'loopback',
  allowedOrigins: [],
  publicAddress: undefined,
  mail: undefined,
  trustedProxies: [],
  readsProxyHeader: false,
  logFormat: 'text',
  logLevel: 'info',
  metrics: undefined,
  policy: {
    bcryptCost: 12,
    minPasswordCodePoints: 6,
    commonPasswords: 'warn',
    registration: 'open',
    sessionIdleMs: 86_400_000,
    sessionAbsoluteMs: 604_800_000,
    refreshMs: 2_592_000_000,
    maxSessionsPerAccount: 50,
    messagesPerSecond: 100,
    joinsPerMinute: 300,
    searchesPerMinute: 60,
    exportsPerHour: 10,
    registrationsPerHour: 100,
    loginsPerMinute: 600,
    freeFailedLogins: 5,
    auditRetentionMs: 0,
    requiresSecondFactor: false,
    eraseAfterMs: 604_800_000,
    messageRetentionMs: 0,
  },
  limits: {
    maxConnections: 20_000,
    maxConnectionsPerAddress: 1_000,
    maxHandshakes: 2_000,
    firstByteMs: 10_000,
    handshakeMs: 10_000,
    startedLineMs: 10_000,
    startedLineAfterLoginMs: 120_000,
    idleBeforeLoginMs: 120_000,
    pingMs: 30_000,
    maxLineBytes: 131_072,
    maxPipelined: 1_024,
    maxQueuedBytes: 1_048_576,
  },
  shutdownDelayMs: 0,
  drainMs: 5_000,
  consentFile: undefined,
  cluster: undefined,
  tls: undefined,
};

const limits = (change: Partial<ServerConfig['limits']>): Partial<ServerConfig> => ({
  limits: { ...defaults.limits, ...change },
});
const policy = (change: Partial<ServerConfig['policy']>): Partial<ServerConfig> => ({
  policy: { ...defaults.policy, ...change },
});

/** Each setting: a value, what it changes, and values that are refused. */
const cases: Record<SettingName, [value: string, change: Partial<ServerConfig>, refused: readonly string[]]> =
  {
    listen: [
      '[::1]:0',
      { host: '::1', port: 0 },
      [
        '',
        '127.0.0.1',
        ':8080',
        '127.0.0.1:65536',
        '127.0.0.1:x',
        '::1:80',
        '[::1]',
        '[127.0.0.1]:1',
        '1.2.3:80',
        'a b:80',
        '300.1.1.1:80',
      ],
    ],
    dataDirectory: [
      '/srv/chat',
      { dataDirectory: '/srv/chat', backupDirectory: '/srv/chat/backups' },
      ['', 'a\0b'],
    ],
    backupDirectory: ['/mnt/backups', { backupDirectory: '/mnt/backups' }, ['', 'a\0b']],
    insecureClearText: ['1', { clearText: 'everywhere' }, ['yes', '', 'TRUE']],
    tlsOnly: ['true', { clearText: 'never' }, ['on']],
    allowOrigin: [
      'https://chat.example',
      { allowedOrigins: ['https://chat.example'] },
      [
        '',
        ' , ',
        'null',
        '*',
        'chat.example',
        'ftp://chat.example',
        'https://chat.example/',
        'https://a@chat.example',
        'https://chat.example:99999',
        'https://a.example nonsense',
      ],
    ],
    publicAddress: [
      'chat.example:443',
      { publicAddress: 'chat.example:443', ...policy({ commonPasswords: 'refuse' }) },
      ['chat.example', 'chat.example:0', ':443', 'https://chat.example', 'a b:1', 'chat.example:443\nBcc: x'],
    ],
    store: [
      'postgresql://chat@db.example:6432/chat?pool_max_conns=20',
      {
        cluster: {
          store: 'postgresql://chat@db.example:6432/chat?pool_max_conns=20',
          bus: undefined,
          secretFile: '/etc/secret',
        },
      },
      [
        'db.example',
        'mysql://db.example/chat',
        'postgres://',
        'postgres:///chat',
        'postgres://db.example',
        'postgres://db.example/',
        'postgres://db.example:65536/chat',
        'postgres://db.example/chat?sslmode=prefer',
        'postgres://db.example/chat?search_path=x',
        'postgres://db.example/chat?sslmode=verify-ca',
        'postgres://us%er@db.example/chat',
      ],
    ],
    bus: [
      'rediss://redis.example:6380/2',
      { cluster: { store: storeUrl, bus: 'rediss://redis.example:6380/2', secretFile: '/etc/secret' } },
      [
        'redis.example:6379',
        'http://redis.example',
        'redis://',
        'redis://redis.example:65536',
        'redis://redis.example/chat',
        'redis://redis.example?ca=/x',
        'redis://us%er@redis.example',
      ],
    ],
    clusterSecret: [
      '/etc/other',
      { cluster: { store: storeUrl, bus: undefined, secretFile: '/etc/other' } },
      ['', 'a\0b', '~/secret'],
    ],
    smtpUrl: [
      'smtp://mail.example',
      {
        mail: {
          server: { host: 'mail.example', port: 587, tls: 'starttls', login: undefined },
          from: 'chat@example.org',
        },
      },
      [
        'mail.example:25',
        'http://mail.example',
        'smtp://',
        'smtp://mail.example:0',
        'smtp://mail.example:65536',
        'smtp://mail.example/path',
        'smtp://mail.example?tls=no',
        'smtp://user@mail.example',
        'smtp://:password@mail.example',
        'smtp://us%er:password@mail.example',
        'smtp://mail example',
      ],
    ],
    mailFrom: [
      'chat@example.org',
      {},
      [
        'chat',
        'Chat <chat@example.org>',
        'a@b, c@d',
        'chat@example.org\nBcc: eve@example.org',
        '@example.org',
      ],
    ],
    trustedProxy: [
      '10.1.2.3/8,::1 10.9.9.9/8',
      { trustedProxies: ['10.0.0.0/8', '::1/128'], ...policy({ commonPasswords: 'refuse' }) },
      ['', ' , ', 'proxy.example', '10/8', '10.0.0.0/33', '0.0.0.0/0', '::/0', '10.0.0.0/-1', '::1 x'],
    ],
    proxyProtocol: [
      'true',
      {
        readsProxyHeader: true,
        trustedProxies: ['10.0.0.0/8'],
        ...policy({ commonPasswords: 'refuse' }),
      },
      ['on', 'v2'],
    ],
    logFormat: ['json', { logFormat: 'json' }, ['xml', '']],
    logLevel: ['debug', { logLevel: 'debug' }, ['trace', 'DEBUG', '']],
    metricsListen: [
      '127.0.0.1:0',
      { metrics: { host: '127.0.0.1', port: 0 } },
      ['9080', ':9080', '127.0.0.1', '127.0.0.1:65536', '::1:9080', 'http://127.0.0.1:9080'],
    ],
    bcryptCost: ['14', policy({ bcryptCost: 14 }), ['9', '15', '0', 'x', '1e1', '10.5', '-10']],
    minPasswordLength: ['256', policy({ minPasswordCodePoints: 256 }), ['5', '257', '0', '']],
    registration: ['invite', policy({ registration: 'invite' }), ['none', '', 'Open']],
    sessionIdle: ['60', policy({ sessionIdleMs: 60_000 }), ['0', '315360001']],
    sessionAbsolute: ['61', policy({ sessionAbsoluteMs: 61_000 }), ['0', '1.5']],
    refresh: ['62', policy({ refreshMs: 62_000 }), ['0', '']],
    maxSessions: ['1', policy({ maxSessionsPerAccount: 1 }), ['0', '1000001']],
    joinsPerMinute: ['0', policy({ joinsPerMinute: 0 }), ['-1', '1000001']],
    searchesPerMinute: ['1', policy({ searchesPerMinute: 1 }), ['-1', '1000001']],
    exportsPerHour: ['0', policy({ exportsPerHour: 0 }), ['-1', '1000001']],
    messagesPerSecond: ['0', policy({ messagesPerSecond: 0 }), ['-1', '1000001']],
    registrationsPerHour: ['0', policy({ registrationsPerHour: 0 }), ['-1']],
    loginsPerMinute: ['0', policy({ loginsPerMinute: 0 }), ['-1']],
    eraseAfter: ['0', policy({ eraseAfterMs: 0 }), ['-1', '7d']],
    messageRetention: ['30', policy({ messageRetentionMs: 2_592_000_000 }), ['-1', '36501', '1.5']],
    tlsCert: [
      '/etc/other.crt',
      { tls: { certificate: '/etc/other.crt', key: '/etc/chat.key' } },
      ['', 'a\0b', '~/chat.crt'],
    ],
    tlsKey: [
      '/etc/other.key',
      { tls: { certificate: '/etc/chat.crt', key: '/etc/other.key' } },
      ['', 'a\0b', '~/chat.key'],
    ],
    consentFile: ['/etc/terms.txt', { consentFile: '/etc/terms.txt' }, ['', 'a\0b', '~/terms']],
    freeFailedLogins: ['0', policy({ freeFailedLogins: 0 }), ['-1']],
    auditRetention: ['2', policy({ auditRetentionMs: 172_800_000 }), ['-1', '36501', '1d']],
    requireSecondFactor: ['true', policy({ requiresSecondFactor: true }), ['on']],
    maxConnections: ['0', limits({ maxConnections: 0 }), ['-1', 'many']],
    maxConnectionsPerAddress: ['0', limits({ maxConnectionsPerAddress: 0 }), ['-1']],
    maxHandshakes: ['0', limits({ maxHandshakes: 0 }), ['-1']],
    firstByteWait: ['0', limits({ firstByteMs: 0 }), ['-1', '86401']],
    handshakeWait: ['0', limits({ handshakeMs: 0 }), ['-1', '86401']],
    lineWait: ['0', limits({ startedLineMs: 0 }), ['-1', '86401']],
    lineWaitLoggedIn: ['0', limits({ startedLineAfterLoginMs: 0 }), ['-1', '86401']],
    loginWait: ['0', limits({ idleBeforeLoginMs: 0 }), ['-1', '86401']],
    pingInterval: ['0', limits({ pingMs: 0 }), ['-1', '3601']],
    maxLine: ['0', limits({ maxLineBytes: 0 }), ['-1', '16777217']],
    maxPipelined: ['0', limits({ maxPipelined: 0 }), ['-1']],
    maxQueued: ['0', limits({ maxQueuedBytes: 0 }), ['-1']],
    shutdownDelay: ['1', { shutdownDelayMs: 1_000 }, ['-1', '601']],
    drainWait: ['1', { drainMs: 1_000 }, ['0', '601']],
  };
const names = Object.keys(cases) as SettingName[];

describe('the configuration', () => {
  it('has a default for everything, and is frozen', () => {
    const config = readConfig(nothing);
    expect(config).toEqual(defaults);
    expect([config, config.policy, config.limits].every(Object.isFrozen)).toBe(true);
  });

  it.each(names)('takes %s from its flag', (name) => {
    const [value, change] = cases[name];
    const setting = settings[name];
    const typed = setting.kind === 'switch' ? true : value;
    expect(readConfig(withFlag(setting.flag, typed))).toEqual({ ...defaults, ...change });
  });

  it.each(names)('takes %s from the environment', (name) => {
    const [value, change] = cases[name];
    expect(readConfig(withEnv(settings[name].variable, value))).toEqual({ ...defaults, ...change });
  });

  it.each(names)('takes %s from a file, after flag and environment', (name) => {
    const [value, change, refused] = cases[name];
    const { flag, variable, kind } = settings[name];
    const file = withFile(flag, kind === 'switch' ? true : value);
    expect(readConfig(file)).toEqual({ ...defaults, ...change });
    const wrong = withFile(flag, refused[0] ?? '');
    expect(readConfig({ ...wrong, env: { [variable]: value } })).toEqual({ ...defaults, ...change });
  });

  it.each(names)('prefers the flag of %s to the environment', (name) => {
    const [value, change, refused] = cases[name];
    const { flag, variable, kind } = settings[name];
    const typed = kind === 'switch' ? true : value;
    expect(readConfig({ ...withFlag(flag, typed), env: { [variable]: refused[0] } })).toEqual({
      ...defaults,
      ...change,
    });
  });

  const wrong = names.flatMap((name) => cases[name][2].map((value) => [name, value] as const));

  it.each(wrong)('refuses %s = %j in the environment, naming the variable', (name, value) => {
    const { variable } = settings[name];
    expect(() => readConfig(withEnv(variable, value))).toThrowError(
      expect.objectContaining({
        code: 'invalid',
        details: { field: variable },
        message: expect.stringContaining(`${variable} takes `),
      }),
    );
  });

  it.each(wrong.filter(([name]) => settings[name].kind !== 'switch'))(
    'refuses --%s %j, naming the flag',
    (name, value) => {
      const label = `--${settings[name].flag}`;
      expect(() => readConfig(withFlag(settings[name].flag, value))).toThrowError(
        expect.objectContaining({
          code: 'invalid',
          details: { field: label },
          message: expect.stringContaining(`${label} takes `),
        }),
      );
    },
  );

  it.each(wrong)('refuses %s = %j in a file, naming the place', (name, value) => {
    const label = `FILE:7: ${settings[name].flag}`;
    expect(() => readConfig(withFile(settings[name].flag, value))).toThrowError(
      expect.objectContaining({ code: 'invalid', message: expect.stringContaining(`${label} takes `) }),
    );
  });

  it('has a key for each setting, of its type, checked as its flag is', () => {
    expect(Object.keys(configKeys)).toEqual(Object.keys(serveOptions));
    expect(
      ['listen', 'tls-only', 'max-line', 'log-format', 'refresh'].map((key) => configKeys[key]?.type),
    ).toEqual(['text', 'switch', 'number', 'text', 'number']);
    expect(() => configKeys.refresh?.check('FILE:1: refresh', '0')).toThrowError(
      'FILE:1: refresh takes whole seconds from 1 to 315360000, not "0"',
    );
    expect(() => configKeys.refresh?.check('FILE:1: refresh', '1')).not.toThrow();
  });

  it('tells of the problems of a file first, and does not start with them', () => {
    const problem = new ChatError('invalid', 'FILE:1: sever: there is no such setting');
    const file = { path: '/etc/chat/server.yaml', values: new Map(), problems: [problem] };
    const sources = { ...nothing, file, flags: { listen: 'x' } };
    expect(settleConfig(sources).problems.map(({ message }) => message)).toEqual([
      problem.message,
      expect.stringContaining('--listen takes'),
    ]);
    expect(() => readConfig({ ...nothing, file })).toThrowError(problem);
  });

  it.each([
    ['smtp://mail.example:25', { host: 'mail.example', port: 25, tls: 'starttls' }],
    ['SMTPS://Mail.Example/', { host: 'mail.example', port: 465, tls: 'always' }],
    ['smtp://localhost:1025', { host: 'localhost', port: 1_025, tls: 'if-offered' }],
    ['smtp://127.0.0.1', { host: '127.0.0.1', port: 587, tls: 'if-offered' }],
    ['smtp://[::1]:26', { host: '::1', port: 26, tls: 'if-offered' }],
    ['smtps://[::1]', { host: '::1', port: 465, tls: 'always' }],
    ['smtp://192.0.2.1', { host: '192.0.2.1', port: 587, tls: 'starttls' }],
  ])('hands mail over at %s', (url, server) => {
    const { mail } = readConfig(withFlag('smtp-url', url));
    expect(mail).toEqual({ server: { ...server, login: undefined }, from: 'chat@example.org' });
    expect(Object.isFrozen(mail?.server)).toBe(true);
  });

  it('takes user and password for mail from the environment alone, and says neither in any error', () => {
    const url = 'smtps://sam%40example.org:s3cret%3A%2F@mail.example';
    expect(readConfig(withEnv('CHAT_SMTP_URL', url)).mail?.server.login).toEqual({
      user: 'sam@example.org',
      password: 's3cret:/',
    });
    const elsewhere = (label: string) => `${label} is no place for a password: give the URL in CHAT_SMTP_URL`;
    expect(() => readConfig(withFlag('smtp-url', url))).toThrowError(elsewhere('--smtp-url'));
    expect(() => readConfig(withFile('smtp-url', url))).toThrowError(elsewhere('FILE:7: smtp-url'));
    expect(() => configKeys['smtp-url']?.check('FILE:7: smtp-url', url)).toThrowError(
      elsewhere('FILE:7: smtp-url'),
    );
    for (const wrong of ['smtp://sam:s3cret@', 'smpt://sam:s3cret@mail.example', 'sam:s3cret@mail.example']) {
      for (const sources of [
        withFlag('smtp-url', wrong),
        withEnv('CHAT_SMTP_URL', wrong),
        withFile('smtp-url', wrong),
      ]) {
        const [problem] = settleConfig(sources).problems;
        expect(problem?.message).toMatch(/ takes smtp:\/\/HOST:PORT or smtps:\/\/HOST:PORT/);
        expect(problem?.message).not.toContain('s3cret');
      }
    }
  });

  it('settles a URL for mail in a spelling whose password can be told from the rest', () => {
    const { settings: all } = settleConfig(withEnv('CHAT_SMTP_URL', 'smtp://sam:p@ss:w@mail.example'));
    const value = all.find(({ name }) => name === 'smtpUrl')?.value ?? '';
    expect(withoutPassword(value)).toBe('smtp://sam:***@mail.example');
  });

  it('asks whose PROXY header is to be believed', () => {
    expect(() => readConfig({ ...nothing, env: { CHAT_PROXY_PROTOCOL: 'true' } })).toThrowError(
      'CHAT_PROXY_PROTOCOL needs to know whose header is believed: give --trusted-proxy with the balancer',
    );
    expect(readConfig(withFlag('trusted-proxy', '10.0.0.0/8')).readsProxyHeader).toBe(false);
  });

  it('asks for the sender of mail that it is to send, and for nothing when it is to send none', () => {
    const url = 'smtp://mail.example';
    expect(() => readConfig({ ...nothing, env: { CHAT_SMTP_URL: url } })).toThrowError(
      'CHAT_SMTP_URL needs an address that mails come from: give --mail-from',
    );
    expect(readConfig(withFlag('mail-from', 'chat@example.org')).mail).toBeUndefined();
    expect(readConfig({ ...withEnv('CHAT_SMTP_URL', ''), flags: {} }).mail).toBeUndefined();
  });

  it('asks for the secret of servers over one store, and for the store of a bus and of a secret', () => {
    expect(() => readConfig({ ...nothing, env: { CHAT_STORE: storeUrl } })).toThrowError(
      /^CHAT_STORE needs --cluster-secret too: /,
    );
    expect(() => readConfig({ ...nothing, flags: { bus: 'redis://127.0.0.1' } })).toThrowError(
      /^--bus needs --store too: /,
    );
    expect(() => readConfig({ ...nothing, flags: { 'cluster-secret': 'x' } })).toThrowError(
      /^--cluster-secret needs --store too: /,
    );
    const given = { store: storeUrl, 'cluster-secret': '/etc/secret' };
    const { problems } = settleConfig({ ...nothing, flags: { ...given, store: 'mysql://x/y' } });
    expect(problems.map(({ message }) => message)).toEqual([expect.stringMatching(/^--store takes /)]);
    expect(readConfig({ ...nothing, flags: given, env: { CHAT_BUS: '' } }).cluster).toEqual({
      store: storeUrl,
      bus: undefined,
      secretFile: '/etc/secret',
    });
    expect(Object.isFrozen(readConfig({ ...nothing, flags: given }).cluster)).toBe(true);
  });

  it.each([
    ['store', 'CHAT_STORE', 'postgres://sam:s3cret%3A%2F@db.example/chat', 'postgres://sam:s3cret@/chat'],
    ['bus', 'CHAT_BUS', 'rediss://:s3cret@redis.example', 'redis://:s3cret@redis.example/chat'],
  ])(
    'takes the password of --%s from the environment alone, and never says it',
    (flag, variable, url, wrong) => {
      expect(readConfig(withEnv(variable, url)).cluster).toMatchObject({ [flag]: url });
      const elsewhere = (label: string) => `${label} is no place for a password: give the URL in ${variable}`;
      expect(() => readConfig(withFlag(flag, url))).toThrowError(elsewhere(`--${flag}`));
      expect(() => readConfig(withFile(flag, url))).toThrowError(elsewhere(`FILE:7: ${flag}`));
      for (const sources of [withFlag(flag, wrong), withEnv(variable, wrong), withFile(flag, wrong)]) {
        const [problem] = settleConfig(sources).problems;
        expect(problem?.message).toMatch(/ takes (?:postgres|redis):\/\//);
        expect(problem?.message).not.toContain('s3cret');
      }
      const raw = url.replace(/:s3[^@]*@/, ':p@ss:w@');
      const value =
        settleConfig(withEnv(variable, raw)).settings.find(({ key }) => key === flag)?.value ?? '';
      expect(withoutPassword(value)).not.toMatch(/p@ss|ss:w|ss%3Aw/);
    },
  );

  it('takes several origins, with blanks or commas between them, each in the one spelling of browsers', () => {
    expect(
      readConfig(
        withEnv('CHAT_ALLOW_ORIGIN', 'HTTPS://Chat.Example:443, http://[::1]:80 https://chat.example'),
      ).allowedOrigins,
    ).toEqual(['https://chat.example', 'http://[::1]']);
  });

  it('tells where each value comes from', () => {
    const { settings: all } = settleConfig({
      ...withFile('max-line', '1'),
      flags: { listen: '[::1]:1' },
      env: { CHAT_REFRESH: '60', CHAT_TLS_ONLY: '0' },
    });
    const from = Object.fromEntries(all.map(({ key, value, origin }) => [key, [value, origin]]));
    expect([from.listen, from.refresh, from['tls-only'], from['max-line'], from['max-queued']]).toEqual([
      ['[::1]:1', { kind: 'flag', name: '--listen' }],
      ['60', { kind: 'environment', name: 'CHAT_REFRESH' }],
      ['false', { kind: 'environment', name: 'CHAT_TLS_ONLY' }],
      ['1', { kind: 'file', path: '/etc/chat/server.yaml', line: 7 }],
      ['1048576', { kind: 'default' }],
    ]);
    expect(all.map(({ name }) => name)).toEqual(Object.keys(settings));
  });

  it.each([
    ['127.0.0.1:9080', '127.0.0.1:9080'],
    ['0.0.0.0:9080', '127.0.0.1:9080'],
    ['127.0.0.1:9080', '0.0.0.0:9080'],
    ['[::1]:9080', '[::]:9080'],
    ['[::]:9080', '127.0.0.1:9080'],
    ['[::ffff:127.0.0.1]:9080', '127.0.0.1:9080'],
    ['Host.example:9080', 'host.example:9080'],
    ['0.0.0.0:9080', 'host.example:9080'],
  ])('refuses to serve people at %s and metrics at %s', (listen, metricsListen) => {
    const given = { ...withFile('max-line', '1'), flags: { listen, 'metrics-listen': metricsListen } };
    expect(() => readConfig(given)).toThrowError(
      '--metrics-listen names the address of --listen: give metrics a port of their own',
    );
  });

  it.each([
    ['127.0.0.1:0', '127.0.0.1:0'],
    ['127.0.0.1:9080', '127.0.0.1:9081'],
    ['127.0.0.1:9080', '127.0.0.2:9080'],
    ['0.0.0.0:9080', '[::1]:9080'],
    ['[::1]:9080', '127.0.0.1:9080'],
  ])('serves people at %s and metrics at %s', (listen, metricsListen) => {
    const given = { ...withFile('max-line', '1'), flags: { listen, 'metrics-listen': metricsListen } };
    expect(readConfig(given).metrics).toBeDefined();
  });

  it('tells of everything that does not fit, which stands at its default then', () => {
    const { config, problems, unfit } = settleConfig({
      ...withFile('max-line', '-1'),
      flags: { listen: 'x', 'tls-only': true },
      env: { CHAT_REFRESH: 'x', CHAT_INSECURE_CLEAR_TEXT: '1' },
    });
    expect([config.host, config.policy.refreshMs, config.limits.maxLineBytes]).toEqual([
      '127.0.0.1',
      2_592_000_000,
      131_072,
    ]);
    expect([...unfit]).toEqual(['listen', 'refresh', 'maxLine']);
    expect(problems.map(({ message }) => message)).toEqual([
      '--listen takes HOST:PORT, like 127.0.0.1:8080 or [::1]:8080, not "x"',
      'CHAT_REFRESH takes whole seconds from 1 to 315360000, not "x"',
      'FILE:7: max-line takes a whole number from 0 to 16777216 (0 is off), not "-1"',
      '--tls-only and CHAT_INSECURE_CLEAR_TEXT contradict each other: give one of them',
    ]);
  });

  it('takes a relative directory in a file from where the file is, and no ~', () => {
    expect(readConfig(withFile('data', 'here/../there')).dataDirectory).toBe('/etc/chat/there');
    expect(readConfig(withFile('data', '~sam')).dataDirectory).toBe('/etc/chat/~sam');
    for (const value of ['~', '~/data']) {
      expect(() => readConfig(withFile('data', value))).toThrowError(
        `FILE:7: data takes a path without ~, which only a shell knows, not "${value}"`,
      );
    }
  });

  it('switches a switch of a file off by the environment, and ends a contradiction so', () => {
    const sources = { ...withFile('tls-only', true), flags: { 'insecure-clear-text': true } };
    expect(() => readConfig(sources)).toThrowError(
      'FILE:7: tls-only and --insecure-clear-text contradict each other',
    );
    expect(readConfig({ ...sources, env: { CHAT_TLS_ONLY: '0' } }).clearText).toBe('everywhere');
  });

  it.each([
    ['127.0.0.1', 'warn'],
    ['127.8.7.6', 'warn'],
    ['LocalHost', 'warn'],
    ['[::1]', 'warn'],
    ['[::ffff:127.0.0.1]', 'warn'],
    ['0.0.0.0', 'refuse'],
    ['[::]', 'refuse'],
    ['128.0.0.1', 'refuse'],
    ['localhost.example', 'refuse'],
  ])('at %s has a common password: %s', (host, rule) => {
    expect(readConfig(withFlag('listen', `${host}:0`)).policy.commonPasswords).toBe(rule);
  });

  it('takes a server on loopback that others reach by a proxy for one that they can guess at', () => {
    const reachedAt = (address: string) =>
      readConfig(withFlag('public-address', address)).policy.commonPasswords;
    expect(['chat.example:443', '127.0.0.1:8443', '[::1]:8080', 'localhost:8080'].map(reachedAt)).toEqual([
      'refuse',
      'warn',
      'warn',
      'warn',
    ]);
  });

  it('says what is allowed', () => {
    const text = (sources: ConfigSources): string => {
      try {
        readConfig(sources);
        return 'accepted';
      } catch (error) {
        return error instanceof ChatError ? error.message : String(error);
      }
    };
    expect([
      text(withFlag('bcrypt-cost', '9')),
      text(withEnv('CHAT_MAX_CONNECTIONS', '-1')),
      text(withFlag('session-idle', '0')),
      text(withFlag('listen', 'x')),
      text(withFlag('log-format', 'xml')),
      text(withEnv('CHAT_TLS_ONLY', 'on')),
    ]).toEqual([
      '--bcrypt-cost takes a whole number from 10 to 14, not "9"',
      'CHAT_MAX_CONNECTIONS takes a whole number from 0 to 1000000 (0 is off), not "-1"',
      '--session-idle takes whole seconds from 1 to 315360000, not "0"',
      '--listen takes HOST:PORT, like 127.0.0.1:8080 or [::1]:8080, not "x"',
      '--log-format takes text or json, not "xml"',
      'CHAT_TLS_ONLY takes 1 or 0, not "on"',
    ]);
  });

  it.each(['0', 'false'])('leaves a switch off at %s', (value) => {
    expect(readConfig(withEnv('CHAT_TLS_ONLY', value)).clearText).toBe('loopback');
    expect(readConfig(withFlag('tls-only', false)).clearText).toBe('loopback');
  });

  it('refuses two switches that contradict each other', () => {
    expect(() =>
      readConfig({ ...nothing, flags: { 'tls-only': true, 'insecure-clear-text': true } }),
    ).toThrowError('--tls-only and --insecure-clear-text contradict each other: give one of them');
  });

  it.each([
    ['localhost:1', 'localhost', 1],
    ['0.0.0.0:8080', '0.0.0.0', 8080],
    ['[::]:8080', '::', 8080],
    ['chat.example.org:65535', 'chat.example.org', 65_535],
  ])('listens on %s', (text, host, port) => {
    const config = readConfig(withFlag('listen', text));
    expect([config.host, config.port]).toEqual([host, port]);
  });

  it('keeps data where each platform keeps it', () => {
    const directory = (change: Partial<ConfigSources>): string =>
      readConfig({ ...nothing, ...change }).dataDirectory;
    const mac = { platform: 'darwin', homeDirectory: '/Users/sam' } as const;
    const windows = { platform: 'win32', homeDirectory: 'C:\\Users\\sam' } as const;
    expect([
      directory({ env: { XDG_DATA_HOME: '/data' } }),
      directory({ env: { XDG_DATA_HOME: 'relative' } }),
      directory(mac),
      directory({ ...mac, env: { XDG_DATA_HOME: '/data' } }),
      directory(windows),
      directory({ ...windows, env: { LOCALAPPDATA: 'D:\\local' } }),
      directory({ ...windows, env: { LOCALAPPDATA: 'local', XDG_DATA_HOME: 'D:\\xdg' } }),
    ]).toEqual([
      '/data/chat',
      '/home/sam/.local/share/chat',
      '/Users/sam/Library/Application Support/chat/data',
      '/data/chat',
      'C:\\Users\\sam\\AppData\\Local\\chat\\data',
      'D:\\local\\chat\\data',
      'D:\\xdg\\chat',
    ]);
    expect(directory({ flags: { data: 'here' } })).toBe(`${process.cwd()}/here`);
  });

  it('declares each setting once as a flag, with its default, its variable, and how it is switched off', () => {
    expect(Object.keys(serveOptions)).toEqual(Object.values(settings).map(({ flag }) => flag));
    expect([
      serveOptions.listen,
      serveOptions['tls-only'],
      serveOptions['max-line'],
      serveOptions['erase-after'],
      serveOptions['log-format'],
    ]).toEqual([
      {
        type: 'text',
        value: 'HOST:PORT',
        describe: 'where to listen; port 0 is any free port (default 127.0.0.1:8080; CHAT_LISTEN)',
      },
      { type: 'flag', describe: 'refuse clear text on loopback too (CHAT_TLS_ONLY)' },
      { type: 'text', value: 'N', describe: 'bytes in one line (default 131072; 0 is off; CHAT_MAX_LINE)' },
      {
        type: 'text',
        value: 'SECONDS',
        describe:
          'an account that its owner erases can be kept by its owner for so long (default 604800; 0 erases at once; CHAT_ERASE_AFTER)',
      },
      {
        type: 'text',
        value: 'text|json',
        describe: 'how the log on stderr is spelled (default text; CHAT_LOG_FORMAT)',
        complete: ['text', 'json'],
      },
    ]);
  });
});
