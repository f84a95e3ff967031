import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { converse } from './support/lab.ts';
import { type Person, type Running, type ServerProcess, World } from './support/server.ts';

/** Everything that the files of a directory hold, byte for byte. */
function bytesUnder(directory: string): string {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, 'latin1'))
    .join('\n');
}

/** A login in each way that there is, with a secret that is found again wherever it is written. */
async function loginEverywhere(server: ServerProcess, world: World): Promise<string[]> {
  const password = 'marker-PassWord-0001';
  const wrong = 'marker-WrongOne-0002';
  const url = `http://${server.address}`;
  const post = async (path: string, body: object) =>
    (await (
      await fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    ).json()) as Record<string, string>;
  const registered = await post('/api/auth/register', { username: 'olga', password });
  const { session_token: token = '', refresh_token: refresh = '' } = await post('/api/auth/login', {
    username: 'olga',
    password,
  });
  await post('/api/auth/login', { username: 'olga', password: wrong });
  const form = (secret: string) =>
    fetch(`${url}/login`, {
      method: 'POST',
      body: new URLSearchParams({ username: 'olga', password: secret }),
    });
  const cookies = (await form(password)).headers.getSetCookie();
  await form(wrong);
  await converse(server.port, `/login olga ${password}\n/quit\n`, 1);
  await converse(server.port, `/login olga ${wrong}\n/quit\n`, 1);
  await converse(server.port, `AUTH|olga|${password}\n`, 1);
  await converse(server.port, `TOKEN|${token}\n`, 1);
  const carol = world.person('carol', server);
  const own = 'marker-OnlyHere-0003';
  await carol.succeed(['register', 'carol'], '', { CHAT_PASSWORD: own });
  await carol.succeed(['login', 'carol'], '', { CHAT_PASSWORD: own });
  await carol.run(['login', 'carol'], '', { CHAT_PASSWORD: wrong });
  const hashed = (await carol.succeed(['hash-password', 'carol', '-q'], '', { CHAT_PASSWORD: own })).trim();
  await converse(server.port, `AUTH|carol|${hashed}\n`, 1);
  const cookie = /session_token=([^;]+)/.exec(cookies.join('\n'))?.[1] ?? '';
  const secrets = [password, wrong, own, hashed, token, refresh, cookie, registered.auth_token ?? ''];
  expect(secrets.filter((secret) => secret.length < 10)).toEqual([]);
  return secrets;
}

async function administrator(server: ServerProcess, world: World): Promise<Person> {
  const alice = await world.person('alice', server).register({ hasBackup: false });
  await server.running.says(/chat admin claim /);
  const [, code = ''] = /chat admin claim (\S+)/.exec(server.running.err) ?? [];
  await alice.does(['admin', 'claim', code]);
  return alice;
}

const auditLine = /^\S+ info audit (.*)$/gm;

it('16.2.5: has every login at every door, as the log has, and neither has a secret', async () => {
  const world = new World();
  const server = await world.serve();
  const alice = await administrator(server, world);
  const secrets = await loginEverywhere(server, world);
  const rows = await alice.json<{ operation: string; door: string; outcome: string }>([
    ...['admin', 'audit', '--since', '1h'],
  ]);
  const logins = rows.filter(({ operation }) => operation.startsWith('login.'));
  const seen = new Set(logins.map(({ door, outcome }) => `${door} ${outcome}`));
  for (const door of ['http', 'cookie', 'slash', 'line']) {
    expect(seen).toContain(`${door} ok`);
    expect(seen).toContain(`${door} unauthenticated`);
  }
  expect(seen).toContain('pipe ok');

  expect((await alice.run(['admin', 'audit', '--verify'])).out).toMatch(
    /^intact: \d+ rows, to \d+:[0-9a-f]{64}\n$/,
  );
  await server.stop();
  const all = await readAll(server, world);
  const told = [...server.running.err.matchAll(auditLine)].map(([, text]) => text);
  // The server's own life stands in the log in other words.
  const kept = all.filter(({ operation }) => !operation.startsWith('server.'));
  expect(kept.length).toBeGreaterThan(15);
  expect(told.slice(0, kept.length).map((text) => /operation=(\S+)/.exec(text ?? '')?.[1])).toEqual(
    kept.slice(0, told.length).map(({ operation }) => operation),
  );

  const written = `${bytesUnder(server.data)}\n${server.running.err}`;
  expect(secrets.filter((secret) => written.includes(secret))).toEqual([]);
}, 300_000);

/** The whole trail, as the next server tells it. */
async function readAll(server: ServerProcess, world: World) {
  const next = await world.serve([], { data: server.data });
  const alice = world.person('alice', next);
  await alice.succeed(['login', 'alice', '--trust', 'always']);
  const rows = await alice.json<{ operation: string }>(['admin', 'audit', '--since', 'all']);
  await next.stop();
  return rows;
}

it('is intact after a server was killed, has all but the last moments, and says that there was no end', async () => {
  const world = new World();
  const server = await world.serve();
  const alice = await administrator(server, world);
  const { 0: before } = await alice.json<{ seq: number }>(['admin', 'audit', '-n', '1']);
  await server.stop('SIGKILL');
  const next = await world.serve([], { data: server.data });
  const again = world.person('alice', next);
  await again.succeed(['login', 'alice', '--trust', 'always']);
  const { code, out } = await again.run(['admin', 'audit', '--verify', '-o', 'json']);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ intact: true, start: 0 });
  const rows = await again.json<{ seq: number; operation: string }>(['admin', 'audit', '--since', 'all']);
  expect(rows.map(({ seq }) => seq)).toContain(before?.seq);
  const life = rows.map(({ operation }) => operation).filter((one) => one.startsWith('server.'));
  expect(life).toEqual(['server.started', 'server.started']);
}, 300_000);

interface Row {
  readonly seq: number;
  readonly user: string | null;
  readonly operation: string;
}

/** Reads rows until one fits; answers all that were read. */
async function rowsUntil(running: Running, fits: (row: Row) => boolean): Promise<Row[]> {
  const rows: Row[] = [];
  for (;;) {
    const row = await running.json<Row>();
    rows.push(row);
    if (fits(row)) return rows;
  }
}

it('is followed without a gap or a repeat, over the death of the server, until Ctrl-C', async () => {
  const world = new World();
  const server = await world.serve();
  const alice = await administrator(server, world);
  const follow = (...flags: string[]) => alice.start(['admin', 'audit', '--follow', '-o', 'json', ...flags]);
  const all = follow('--since', 'all');
  const bobs = follow('--user', 'bob', '-n', '0');
  const text = alice.start(['admin', 'audit', '--follow', '-n', '1']);
  await text.line();
  const bob = await world.person('bob', server).register({ hasBackup: false });
  const isLogin = ({ user, operation }: Row) => user === 'bob' && operation === 'login.finish';
  const ofAll = await rowsUntil(all, isLogin);
  const ofBob = await rowsUntil(bobs, isLogin);

  await server.stop('SIGKILL');
  for (const one of [all, bobs, text]) await one.says(/; trying again\n/);
  const next = await world.serve([], { data: server.data, listen: server.address });
  await bob.succeed(['login', 'bob']);
  ofAll.push(...(await rowsUntil(all, isLogin)));
  ofBob.push(...(await rowsUntil(bobs, isLogin)));

  for (const one of [all, bobs, text]) {
    const { code, err } = await one.kill('SIGINT');
    expect(code).toBe(130);
    expect(err).toMatch(/^([^\n]*; trying again\n)+$/);
  }
  const kept = await alice.json<Row>(['admin', 'audit', '--since', 'all']);
  const last = ofAll.at(-1)?.seq ?? 0;
  expect(ofAll).toEqual(kept.filter(({ seq }) => seq <= last));
  expect(ofBob.length).toBeGreaterThan(2);
  expect(ofBob).toEqual(kept.filter(({ seq, user }) => user === 'bob' && seq <= (ofBob.at(-1)?.seq ?? 0)));
  expect(text.out).toMatch(/^(\d+\t[^\n]+\n)+$/);
  const numbers = [...text.out.matchAll(/^\d+/gm)].map(([seq]) => Number(seq));
  expect(numbers).toEqual(numbers.map((_, i) => (numbers[0] ?? 0) + i));
  await next.stop();
}, 300_000);

it('is followed no longer than anybody reads it, or may', async () => {
  const world = new World();
  const server = await world.serve();
  const alice = await administrator(server, world);
  const unread = alice.start(['admin', 'audit', '--follow']);
  await unread.line();
  unread.child.stdout?.destroy();
  expect(await unread.ended).toMatchObject({ code: 0, err: '' });
  const bob = await world.person('bob', server).register({ hasBackup: false });
  expect(await bob.run(['admin', 'audit', '--follow'])).toMatchObject({ code: 5, out: '' });
}, 300_000);
