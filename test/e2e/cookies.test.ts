import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Running, type ServerProcess, World } from './support/server.ts';

/** The lines of document 4 as the contract has them (five-systems, section 4), each letter of them. */
const lines = {
  register: 'curl -X POST http://localhost:8080/register -d "username=myuser" -d "password=password123"',
  registerMultipart:
    'curl -X POST -F "username=myuser" -F "password=password123" -v http://localhost:8080/register',
  login:
    'curl -X POST http://localhost:8080/login -d "username=myuser" -d "password=password123" -c cookies.txt',
  loginByEmail:
    'curl -X POST http://localhost:8080/login -d "email=user@example.com" -d "password=password123" -c cookies.txt -o response.json',
  extract: "CSRF_TOKEN=$(jq -r '.csrf_token' response.json)",
  dashboard: 'curl -X POST http://localhost:8080/dashboard -H "X-CSRF-Token:$CSRF_TOKEN" -b cookies.txt',
  logout:
    'curl -X POST http://localhost:8080/logout -H "X-CSRF-Token:<CSRFToken>" -d "username=myuser" -b cookies.txt',
} as const;

const headersOfEveryAnswer: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

const hasJq = spawnSync('jq', ['--version']).status === 0;
/** What the one line with jq needs of it, where a machine has none. */
const jqStandIn = `#!/usr/bin/env node
const [, , , filter, file] = process.argv;
console.log(JSON.parse(require('node:fs').readFileSync(file, 'utf8'))[filter.slice(1)]);
`;
if (!hasJq) console.warn('there is no jq here: a few lines of node stand in for it');

/** What one line of curl brought. */
interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: ReadonlyMap<string, readonly string[]>;
}

/** A shell in a directory of its own, where `localhost:8080` is the server under test. */
class Shell {
  readonly world: World;
  readonly directory: string;
  readonly #scheme: 'http' | 'https';

  constructor(world: World, server: ServerProcess, name: string, scheme: 'http' | 'https' = 'http') {
    this.world = world;
    this.directory = world.path(name);
    this.#scheme = scheme;
    mkdirSync(this.directory);
    // What the lines do not say is said by curl's own file: the port is the system's, and the answer's head is kept.
    const settings = [
      `connect-to = "localhost:8080:127.0.0.1:${server.port}"`,
      `dump-header = "${join(this.directory, 'head.txt')}"`,
      'silent',
      ...(scheme === 'https' ? [`cacert = "${join(server.data, 'ttpkeys', 'ca.crt')}"`] : []),
    ];
    if (!hasJq) writeFileSync(join(this.directory, 'jq'), jqStandIn, { mode: 0o755 });
    writeFileSync(join(this.directory, '.curlrc'), `${settings.join('\n')}\n`);
  }

  /** Runs lines as they stand in one shell; answers what the last of them printed. */
  async run(...script: readonly string[]): Promise<string> {
    const text = script.join('\n');
    const spelled = this.#scheme === 'http' ? text : text.replaceAll('http://', 'https://');
    const env = {
      PATH: `${process.env.PATH}:${this.directory}`,
      CURL_HOME: this.directory,
      HOME: this.directory,
    };
    const { code, out, err } = await new Running(['-euc', spelled], env, '', {
      program: 'bash',
      cwd: this.directory,
    }).ended;
    if (code !== 0) throw new Error(`ended with ${code}: ${spelled}\n${err}`);
    return out;
  }

  /** Runs lines of which the last is a request, and answers what came for that. */
  async ask(...script: readonly string[]): Promise<Answer> {
    const out = await this.run(...script);
    const [statusLine = '', ...fields] = this.read('head.txt').trim().split('\r\n');
    const headers = new Map<string, string[]>();
    for (const field of fields) {
      const [name = '', value = ''] = field.split(/:(.*)/s);
      const values = headers.get(name.toLowerCase()) ?? [];
      headers.set(name.toLowerCase(), [...values, value.trim()]);
    }
    for (const [name, value] of Object.entries(headersOfEveryAnswer))
      expect(headers.get(name)).toEqual([value]);
    expect(headers.get('content-security-policy')?.[0]).toContain("frame-ancestors 'none'");
    expect(headers.has('access-control-allow-origin')).toBe(false);
    expect(headers.has('strict-transport-security')).toBe(this.#scheme === 'https');
    const text = out === '' && script.at(-1)?.includes('-o response.json') ? this.read('response.json') : out;
    return { status: Number(statusLine.split(' ')[1]), body: JSON.parse(text), headers };
  }

  read(name: string): string {
    return readFileSync(join(this.directory, name), 'utf8');
  }
}

const uuid = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/);
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const csrfToken = expect.stringMatching(/^cf1_[A-Za-z0-9_-]{43}$/);
const forbidden = {
  status: 403,
  code: 'forbidden',
  detail: 'the CSRF token is missing, or is not the latest one of this session',
};

/** A dashboard request with a CSRF token of the caller's choice. */
const dashboardWith = (token: unknown) => lines.dashboard.replace('$CSRF_TOKEN', String(token));
const logoutWith = (token: unknown) => lines.logout.replace('<CSRFToken>', String(token));
const registerOther =
  'curl -X POST http://localhost:8080/register -d "username=user" -d "email=user@example.com" -d "password=password123"';

describe.each(['http', 'https'] as const)('the conversation of document 4 over %s', (scheme) => {
  test('3.3.1–3.3.4, 3.5.1: each line does what it shows, in its order, as it stands', async () => {
    const world = new World();
    const server = await world.serve();
    const shell = new Shell(world, server, 'shell', scheme);
    const prefix = scheme === 'https' ? '__Host-' : '';
    const secure = scheme === 'https' ? '; Secure' : '';

    const registered = await shell.ask(lines.register);
    expect(registered).toMatchObject({ status: 201, body: { user_id: uuid, username: 'myuser' } });
    expect(Object.keys(registered.body)).toEqual(['user_id', 'username']);
    expect(registered.headers.has('set-cookie')).toBe(false);

    expect(await shell.ask(lines.registerMultipart)).toMatchObject({
      status: 409,
      body: { code: 'conflict', field: 'username' },
    });

    const opened = await shell.ask(lines.login);
    expect(opened.status).toBe(200);
    expect(opened.body).toEqual({
      csrf_token: csrfToken,
      user_id: registered.body.user_id,
      username: 'myuser',
      expires_at: instant,
    });
    expect(opened.headers.get('set-cookie')).toEqual([
      expect.stringMatching(
        new RegExp(`^${prefix}session_token=cs1_[A-Za-z0-9_-]{43}; Path=/; HttpOnly; SameSite=Lax${secure}$`),
      ),
      expect.stringMatching(
        new RegExp(
          `^${prefix}chat_device=[0-9a-f-]{36}; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax${secure}$`,
        ),
      ),
    ]);

    expect((await shell.ask(registerOther)).status).toBe(201);
    const byEmail = await shell.ask(lines.loginByEmail);
    expect(byEmail).toMatchObject({ status: 200, body: { username: 'user', csrf_token: csrfToken } });

    const shown = await shell.ask(lines.extract, lines.dashboard);
    expect(shown.status).toBe(200);
    expect(shown.body).toEqual({
      user_id: byEmail.body.user_id,
      username: 'user',
      email: 'user@example.com',
      expires_at: instant,
      sessions: [
        {
          id: uuid,
          device: expect.stringMatching(/^curl\//),
          door: 'cookie',
          address: '127.0.0.1',
          created_at: instant,
          last_used_at: instant,
          expires_at: instant,
          current: true,
        },
      ],
      rooms: [{ to: '#lobby', last_seq: 0, read_seq: 0, unread: 0 }],
      direct: [],
      unread: 0,
    });

    // Taken literally, the last line shows no token.
    expect(await shell.ask(lines.logout)).toMatchObject({ status: 403, body: forbidden });
    expect((await shell.ask(lines.extract, lines.dashboard)).status).toBe(200);
    const left = await shell.ask(lines.extract, `${logoutWith('$CSRF_TOKEN')} -c cookies.txt`);
    expect(left).toMatchObject({ status: 200, body: { logged_out: true } });
    expect(left.headers.get('set-cookie')).toEqual([
      `${prefix}session_token=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax${secure}`,
    ]);
    expect(shell.read('cookies.txt')).not.toContain('cs1_');
    expect(shell.read('cookies.txt')).toContain('chat_device');
    expect((await shell.ask(lines.extract, lines.dashboard)).status).toBe(401);
    await world.close();
  });
});

describe('the cookie door', () => {
  test('registers from a multipart form, and tells curl -v so', async () => {
    const world = new World();
    const shell = new Shell(world, await world.serve(), 'shell');
    expect(await shell.ask(lines.registerMultipart)).toMatchObject({
      status: 201,
      body: { username: 'myuser' },
    });
    expect((await shell.ask(lines.login)).status).toBe(200);
  });

  test('7.2.4, 7.4.1: a login on a device ends that device’s session alone; a logout ends its own alone', async () => {
    const world = new World();
    const server = await world.serve();
    const [laptop, phone] = [new Shell(world, server, 'laptop'), new Shell(world, server, 'phone')];
    await laptop.ask(lines.register);
    const first = (await laptop.ask(lines.login)).body.csrf_token;
    await laptop.run('cp cookies.txt before.txt');
    const other = (await phone.ask(lines.login)).body.csrf_token;
    expect((await laptop.ask(dashboardWith(first))).body.sessions).toHaveLength(2);

    // The same browser again: it sends its cookies.
    const second = (await laptop.ask(`${lines.login} -b cookies.txt`)).body.csrf_token;
    expect((await laptop.ask(dashboardWith(second))).body.sessions).toHaveLength(2);
    expect((await phone.ask(dashboardWith(other))).status).toBe(200);
    const before = dashboardWith(first).replace('cookies.txt', 'before.txt');
    expect((await laptop.ask(before)).status).toBe(401);

    expect((await laptop.ask(dashboardWith(first))).status).toBe(403);
    expect((await laptop.ask(dashboardWith(other))).status).toBe(403);
    expect((await phone.ask(logoutWith(other))).status).toBe(200);
    expect((await phone.ask(dashboardWith(other))).status).toBe(401);
    expect((await laptop.ask(dashboardWith(second))).body.sessions).toHaveLength(1);
  });

  test('7.2.4: another account’s login in the same browser gets a device of its own and ends the session there', async () => {
    const world = new World();
    const server = await world.serve();
    const [browser, elsewhere] = [new Shell(world, server, 'browser'), new Shell(world, server, 'elsewhere')];
    await browser.ask(lines.register);
    await browser.ask(registerOther);
    const first = (await browser.ask(lines.login)).body.csrf_token;
    const kept = (await elsewhere.ask(lines.login)).body.csrf_token;
    await browser.run('cp cookies.txt before.txt');
    const taken = await browser.ask(`${lines.loginByEmail} -b cookies.txt`);
    const device = (text: string) => /chat_device[\t=]([0-9a-f-]{36})/.exec(text)?.[1];
    expect(device(browser.read('cookies.txt'))).not.toBe(device(browser.read('before.txt')));
    expect((await browser.ask(dashboardWith(taken.body.csrf_token))).body).toMatchObject({
      username: 'user',
    });
    const before = dashboardWith(first).replace('cookies.txt', 'before.txt');
    expect((await browser.ask(before)).status).toBe(401);
    expect((await elsewhere.ask(dashboardWith(kept))).body).toMatchObject({ username: 'myuser' });
  });

  test('a session and its CSRF token outlive a restart of the server', async () => {
    const world = new World();
    const server = await world.serve();
    const shell = new Shell(world, server, 'shell');
    await shell.ask(lines.register);
    const { csrf_token } = (await shell.ask(lines.login)).body;
    await server.stop();
    const again = await world.serve([], { listen: server.address });
    expect(again.port).toBe(server.port);
    expect((await shell.ask(dashboardWith(csrf_token))).status).toBe(200);
    expect((await shell.ask(dashboardWith('cf1_x'))).status).toBe(403);
  });

  test('an account of the command line logs in with its token, and its session is one and the same', async () => {
    const world = new World();
    const server = await world.serve();
    const alice = world.person('alice', server);
    await alice.succeed(['register', 'alice']);
    await alice.succeed(['send', '#lobby', 'hello']);
    const token = (await alice.succeed(['token'])).trim();
    const shell = new Shell(world, server, 'shell');
    const opened = await shell.ask(
      `curl -X POST http://localhost:8080/login -d "session_token=${token}" -c cookies.txt`,
    );
    expect(opened).toMatchObject({ status: 200, body: { username: 'alice', csrf_token: csrfToken } });
    expect(JSON.stringify(opened.body)).not.toContain(token);
    const shown = await shell.ask(dashboardWith(opened.body.csrf_token));
    expect(shown.body).toMatchObject({ username: 'alice', sessions: [{ door: 'line', current: true }] });
    expect((await shell.ask(logoutWith(opened.body.csrf_token))).status).toBe(200);
    expect((await alice.run(['rooms'])).code).toBe(4);
  });
});
