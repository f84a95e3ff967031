import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/server/config.ts';
import { type SettingName, settings } from '../../src/server/settings.ts';

const deploy = resolve(import.meta.dirname, '../../deploy');
const read = (name: string): string => readFileSync(join(deploy, name), 'utf8');

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly user?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly env_file?: string;
  readonly secrets?: readonly string[];
  readonly networks?: readonly string[] | Readonly<Record<string, unknown>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly restart?: string;
  readonly stop_grace_period?: string;
  readonly deploy?: {
    readonly resources: { readonly limits: { readonly cpus: string; readonly memory: string } };
  };
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<
    Record<string, { readonly ipam?: { readonly config: readonly { readonly subnet: string }[] } }>
  >;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

const compose = parse(read('compose.yaml'), { merge: true }) as Compose;
const services = Object.entries(compose.services);
const nodes = services.filter(([name]) => name.startsWith('chat-'));
const bySpelling = new Map(
  Object.entries(settings).flatMap(([name, { flag, variable }]) => [
    [`--${flag}`, name as SettingName],
    [variable, name as SettingName],
  ]),
);
/** Those of a compose file itself, with a default behind them. */
const composeVariables = /\$\{([A-Z_]+):-([^}]*)\}/g;
const withDefaults = (text: string): string =>
  text.replace(composeVariables, (_, _name, fallback) => fallback);

/** What `make-secrets.sh` makes, in a copy of the directory. */
function madeSecrets(): { directory: string; said: string; again: () => void } {
  const copy = mkdtempSync(join(tmpdir(), 'chat-deploy-'));
  onTestFinished(() => rmSync(copy, { recursive: true }));
  cpSync(join(deploy, 'make-secrets.sh'), join(copy, 'make-secrets.sh'));
  const run = (): string =>
    execFileSync('sh', [join(copy, 'make-secrets.sh')], { encoding: 'utf8', stdio: 'pipe' });
  return { directory: join(copy, 'secrets'), said: run(), again: run };
}

/** Flags as a server gets them. */
function flagsOf({ command = [] }: Service): Record<string, string | true> {
  return Object.fromEntries(
    command.slice(1).map((word) => {
      const [flag = '', ...value] = word.replace(/^--/, '').split('=');
      return [flag, value.length === 0 ? true : value.join('=')];
    }),
  );
}

function environmentIn(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

const secondsOf = (text = ''): number => Number(/^(\d+)s$/.exec(text)?.[1]);

describe('deploy/compose.yaml', () => {
  it('has three nodes, PostgreSQL, Redis and a balancer', () => {
    expect(nodes).toHaveLength(3);
    expect(services.map(([name]) => name)).toEqual([
      ...nodes.map(([name]) => name),
      'balancer',
      'postgres',
      'redis',
    ]);
  });

  it.each(nodes)('gives %s settings that a server takes, with the secrets that are made', (_, service) => {
    expect(service.command?.[0]).toBe('serve');
    const { directory } = madeSecrets();
    const env = {
      ...Object.fromEntries(
        Object.entries(service.environment ?? {}).map(([name, value]) => [name, withDefaults(value)]),
      ),
      ...environmentIn(readFileSync(join(directory, 'chat.env'), 'utf8')),
    };
    const flags = flagsOf(service);
    for (const name of [...Object.keys(flags).map((flag) => `--${flag}`), ...Object.keys(env)]) {
      expect(bySpelling.get(name), name).toBeDefined();
    }
    const config = readConfig({ flags, env, platform: 'linux', homeDirectory: '/' });
    expect(config.drainMs).toBeGreaterThanOrEqual(10_000);
    // The balancer has asked at least twice before the port closes.
    const [, inter] = /check inter (\d+)ms fall 1 /.exec(read('haproxy.cfg')) ?? [];
    expect(config.shutdownDelayMs).toBeGreaterThan(2 * Number(inter));
    const endMs = config.shutdownDelayMs + config.drainMs;
    expect(secondsOf(service.stop_grace_period) * 1_000).toBeGreaterThan(endMs + 10_000);
    // The balancer says whose connection it is, and comes from this network.
    expect(config.readsProxyHeader).toBe(true);
    expect(config.trustedProxies).toEqual([compose.networks.inside?.ipam?.config[0]?.subnet]);
  });

  it.each(services)(
    '%s restarts, is watched, has an end to what it takes, and is on networks that there are',
    (_, service) => {
      expect(service.restart).toBe('unless-stopped');
      expect(service.healthcheck?.test.length).toBeGreaterThan(1);
      expect(Number(service.deploy?.resources.limits.cpus)).toBeGreaterThan(0);
      expect(service.deploy?.resources.limits.memory).toMatch(/^\d+[GM]$/);
      const networks = Array.isArray(service.networks)
        ? service.networks
        : Object.keys(service.networks ?? {});
      expect(networks).toContain('inside');
      for (const network of networks) expect(Object.keys(compose.networks)).toContain(network);
      for (const name of Object.keys(service.depends_on ?? {}))
        expect(Object.keys(compose.services)).toContain(name);
    },
  );

  it('opens nothing to the outside but the balancer', () => {
    expect(services.filter(([, { ports }]) => ports !== undefined).map(([name]) => name)).toEqual([
      'balancer',
    ]);
    expect(compose.networks.inside).toMatchObject({ internal: true });
  });

  it('mounts files that there are, volumes and secrets that it declares, and declares no other', () => {
    const mounts = services.flatMap(([, { volumes = [] }]) =>
      volumes.map((volume) => volume.split(':')[0] ?? ''),
    );
    const [files, named] = [
      mounts.filter((one) => one.startsWith('.')),
      mounts.filter((one) => !one.startsWith('.')),
    ];
    expect(files.filter((file) => !existsSync(join(deploy, file)))).toEqual([]);
    expect(named.sort()).toEqual(Object.keys(compose.volumes).sort());
    // A node's data is its own.
    expect(new Set(nodes.map(([, { volumes }]) => volumes?.[0])).size).toBe(nodes.length);
    const used = new Set(services.flatMap(([, { secrets = [] }]) => secrets));
    expect([...used].sort()).toEqual(Object.keys(compose.secrets).sort());
    for (const [, { build }] of nodes) {
      expect(existsSync(resolve(deploy, build?.context ?? '?', build?.dockerfile ?? '?'))).toBe(true);
    }
  });

  it('names in commands and variables only secrets that it is given', () => {
    for (const [name, service] of services) {
      const text = JSON.stringify([service.command, service.environment]);
      const named = [...text.matchAll(/\/run\/secrets\/([a-z.-]+)/g)].map(([, secret]) => secret);
      expect(named, name).toEqual(service.secrets ?? []);
    }
  });
});

describe('deploy/make-secrets.sh', () => {
  it('makes every secret and file of variables that the compose file names, for their owner alone', () => {
    const { directory } = madeSecrets();
    const wanted = [
      ...Object.values(compose.secrets).map(({ file }) => file),
      ...new Set(nodes.map(([, { env_file }]) => env_file)),
    ].map((file) => file?.replace(/^secrets\//, ''));
    expect(readdirSync(directory).sort()).toEqual(wanted.sort());
    for (const name of readdirSync(directory))
      expect(statSync(join(directory, name)).mode & 0o777, name).toBe(0o600);
    expect(readFileSync(join(directory, 'cluster-secret'), 'utf8')).toMatch(/^[0-9a-f]{64}$/);
  });

  it('gives the nodes the passwords that PostgreSQL and Redis are given, each made for itself', () => {
    const { directory } = madeSecrets();
    const { CHAT_STORE = '', CHAT_BUS = '' } = environmentIn(
      readFileSync(join(directory, 'chat.env'), 'utf8'),
    );
    const postgres = readFileSync(join(directory, 'postgres-password'), 'utf8');
    const [, redis = ''] =
      /^requirepass (.+)$/m.exec(readFileSync(join(directory, 'redis.conf'), 'utf8')) ?? [];
    const { POSTGRES_USER, POSTGRES_DB } = compose.services.postgres?.environment ?? {};
    expect(CHAT_STORE).toBe(
      `postgres://${POSTGRES_USER}:${postgres}@postgres:5432/${POSTGRES_DB}?sslmode=disable`,
    );
    expect(CHAT_BUS).toBe(`redis://default:${redis}@redis:6379`);
    expect(new Set([postgres, redis, readFileSync(join(directory, 'cluster-secret'), 'utf8')]).size).toBe(3);
  });

  it('changes nothing that is there', () => {
    const { directory, again } = madeSecrets();
    const before = readFileSync(join(directory, 'chat.env'), 'utf8');
    expect(again).toThrowError(/nothing was changed/);
    expect(readFileSync(join(directory, 'chat.env'), 'utf8')).toBe(before);
  });
});

describe('deploy/haproxy.cfg', () => {
  const haproxy = read('haproxy.cfg');

  it('passes on to every node of the compose file, at its ports, with the PROXY header that the nodes read', () => {
    const servers = [...haproxy.matchAll(/^ {4}server (\S+) (\S+) port (\d+)$/gm)].map(
      ([, ...words]) => words,
    );
    expect(servers).toEqual(
      nodes.map(([name, service]) => {
        const { listen, 'metrics-listen': metrics } = flagsOf(service);
        return [name, `${name}:${String(listen).split(':')[1]}`, String(metrics).split(':')[1]];
      }),
    );
    expect(haproxy).toMatch(/^ {4}default-server send-proxy-v2 check /m);
    expect(haproxy).toContain('uri /readyz');
  });

  it('listens where the compose file publishes it and looks after it', () => {
    const { ports, healthcheck } = compose.services.balancer ?? {};
    const published = withDefaults(ports?.[0] ?? '')
      .split(':')
      .at(-1);
    expect(haproxy).toContain(`bind :${published}\n    default_backend nodes`);
    const [, port, path] = /127\.0\.0\.1\/(\d+) .*GET (\S+) /.exec(healthcheck?.test.at(-1) ?? '') ?? [];
    expect(haproxy).toContain(`bind :${port}\n`);
    expect(haproxy).toContain(`monitor-uri ${path}\n`);
  });
});
