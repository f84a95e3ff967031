import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, nextLine, type Outcome, openLab, type RunningServer } from '../e2e/support/lab.ts';
import { hasPostgres, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { hasRedisServer, type RedisServer, startRedis } from '../support/redis-server.ts';

const missing = [...(hasPostgres() ? [] : ['postgresql']), ...(hasRedisServer() ? [] : ['redis-server'])];
if (missing.length > 0) {
  process.stderr.write(`\n!!! NOT RUN: two nodes of one server: ${missing.join(', ')} not installed here\n`);
}

/**
 * Asks again until it holds; what never holds runs into the test's own time limit. In between the processor belongs to the processes
 * that are waited for.
 */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await setTimeout(5);
}

/** Longest that a session is good at one node after it was ended at another, in milliseconds; with Redis, the notice has only to arrive. */
const mostEndedMs = 5_000;
const mostToldMs = 2_000;
/** For the last question, which was asked just before, on a machine that has other work. */
const answerMs = 1_500;
const joinsPerMinute = 4;

describe.skipIf(missing.length > 0)('two nodes of one server', () => {
  let lab: Lab;
  let postgres: PostgresServer;
  let redis: RedisServer;
  let flags: string[];
  let one: RunningServer;
  let two: RunningServer;
  /** What stands in the log of each. */
  const logs = new Map<RunningServer, () => string>();

  async function serve(name: string): Promise<RunningServer> {
    const data = join(lab.directory, name);
    const given = ['--listen', '127.0.0.1:0', '--bcrypt-cost', '10', '--data', data];
    const child = lab.start('server', ['serve', ...given, ...flags]);
    let text = '';
    child.stderr?.on('data', (chunk) => {
      text += chunk;
    });
    const exited = once(child, 'exit') as Promise<[number | null]>;
    const [, port, fingerprint] =
      /^127\.0\.0\.1:(\d+) (SHA256:\S+) /.exec((await nextLine(child)) ?? '') ?? [];
    if (!port || !fingerprint) throw new Error(`exit ${(await exited)[0]}: ${text}`);
    const server: RunningServer = {
      child,
      port: Number(port),
      fingerprint,
      data,
      async stop(signal = 'SIGTERM') {
        child.kill(signal);
        return (await exited)[0];
      },
    };
    logs.set(server, () => text);
    return server;
  }

  const logOf = (node: RunningServer): string => logs.get(node)?.() ?? '';

  const at = ({ port }: RunningServer, more: Readonly<Record<string, string>> = {}) => ({
    env: { CHAT_SERVER: `127.0.0.1:${port}`, CHAT_TRUST: 'always', ...more },
  });
  const run = (
    person: string,
    server: RunningServer,
    args: readonly string[],
    input = '',
  ): Promise<Outcome> => lab.run(person, args, { ...at(server), input });

  /** What a command prints that has to succeed. */
  async function done(person: string, server: RunningServer, ...args: readonly string[]): Promise<string> {
    const { code, out, err } = await run(person, server, args);
    expect(code, `${person}: ${args.join(' ')}: ${err}`).toBe(0);
    return out;
  }

  /** Follows #lobby; resolves when it does, after what was said last. */
  async function follow(
    person: string,
    server: RunningServer,
  ): Promise<{ child: ChildProcess; lines: () => string[] }> {
    const child = lab.start(person, ['tail', '#lobby', '-n', '1'], at(server));
    let text = '';
    child.stdout?.on('data', (chunk) => {
      text += chunk;
    });
    const lines = (): string[] => text.split('\n').slice(0, -1);
    await until(() => lines().length > 0);
    return { child, lines: () => lines().slice(1) };
  }

  /** The status of one call over HTTP. */
  async function http(
    method: 'GET' | 'POST',
    server: RunningServer,
    path: string,
    token: string,
  ): Promise<number> {
    const asked = request({
      ...{ host: '127.0.0.1', port: server.port, path, method, agent: false, rejectUnauthorized: false },
      headers: { Authorization: `Bearer ${token}` },
    }).end();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    answer.resume();
    await once(answer, 'end');
    return answer.statusCode ?? 0;
  }

  /**
   * Logs alice in at the second node on one more device, which follows there, ends that session at the first, and answers how long
   * the second took its token after that, and how long it kept the connection, in milliseconds.
   */
  async function endElsewhere(
    device: string,
    before: () => Promise<void>,
  ): Promise<{ token: number; connection: number }> {
    const login = await lab.run(device, ['login', 'alice'], at(two, { CHAT_PASSWORD: 'password of alice' }));
    expect(login.code, login.err).toBe(0);
    const token = (await done(device, two, 'token')).trim();
    const { child } = await follow(device, two);
    const exited = once(child, 'exit') as Promise<[number | null]>;
    await before();
    expect(await http('GET', two, '/api/account', token)).toBe(200);
    expect(await http('POST', one, '/api/auth/logout', token)).toBe(204);
    const from = performance.now();
    const cut = exited.then(([code]) => ({ code, ms: performance.now() - from }));
    await until(async () => (await http('GET', two, '/api/account', token)) === 401);
    const refused = performance.now() - from;
    const { code, ms } = await cut;
    expect(code).toBe(4);
    return { token: refused, connection: ms };
  }

  beforeAll(async () => {
    lab = openLab();
    [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
    const secret = join(lab.directory, 'secret');
    writeFileSync(secret, randomBytes(32).toString('base64'), { mode: 0o600 });
    const database = await postgres.createDatabase();
    flags = ['--store', database.url, '--bus', redis.url, '--cluster-secret', secret];
    flags.push('--joins-per-minute', String(joinsPerMinute));
    // At once: one of them makes the tables and the keys.
    [one, two] = await Promise.all([serve('one'), serve('two')]);
  });

  afterAll(async () => {
    await lab?.close();
    await redis?.close();
    await postgres?.close();
  });

  it('show one key, and who registers at one logs in at the other', async () => {
    expect(two.fingerprint).toBe(one.fingerprint);
    await Promise.all([done('alice', one, 'register', 'alice'), done('bob', two, 'register', 'bob')]);
    await Promise.all([done('alice', two, 'login', 'alice'), done('bob', one, 'login', 'bob')]);
    const again = await run('carol', two, ['register', 'alice']);
    expect([again.code, again.err]).toEqual([7, expect.stringContaining('taken')]);
  });

  it('what is sent at both is told at both, once, in one order and in that of each sender', async () => {
    await done('alice', one, 'send', '#lobby', 'the first');
    const tails = await Promise.all([follow('alice', one), follow('bob', two)]);
    const texts = Array.from({ length: 30 }, (_, index) => `line ${index}`);
    const sent = await Promise.all([
      run('alice', one, ['send', '#lobby', '--lines'], texts.join('\n')),
      run('bob', two, ['send', '#lobby', '--lines'], texts.join('\n')),
    ]);
    expect(sent.map(({ code }) => code)).toEqual([0, 0]);
    await until(() => tails.every(({ lines }) => lines().length >= 2 * texts.length));
    const [here = [], there = []] = tails.map(({ lines }) => lines());
    expect(here).toEqual(there);
    for (const name of ['alice', 'bob']) {
      const ofOne = here.filter((line) => line.includes(` ${name}: `));
      expect(ofOne.map((line) => line.replace(/^.* \w+: /, ''))).toEqual(texts);
    }
    for (const { child } of tails) child.kill();
    // What is kept says the same, asked of either.
    const kept = await Promise.all(
      [one, two].map((node) => done('alice', node, 'tail', '#lobby', '--once', '-n', String(here.length))),
    );
    expect(kept).toEqual(Array(2).fill(`${here.join('\n')}\n`));
  });

  it('who is online at one is online at both, until they go', async () => {
    const { child } = await follow('bob', two);
    await until(async () => /^bob$/m.test(await done('alice', one, 'users')));
    child.kill();
    await until(async () => !/^bob$/m.test(await done('alice', one, 'users')));
  });

  it('a private message that is sealed at one is opened at the other', async () => {
    await done('alice', one, 'send', '@bob', 'between us');
    const told = await done('bob', two, 'tail', '@alice', '--once', '-o', 'json');
    expect(JSON.parse(told)).toMatchObject({ sender: 'alice', text: 'between us', protection: 'encrypted' });
  });

  it('a certificate that one has signed logs in at the other', async () => {
    await done('dora', one, 'register', 'dora', '--certificate');
    const files = join(lab.directory, 'dora', 'state', 'chat', 'certificates', `chat_127.0.0.1_${one.port}`);
    const args = [
      '--certificate',
      '--certificate-file',
      join(files, 'dora.crt'),
      '--key-file',
      join(files, 'dora.key'),
    ];
    const { code, err } = await run('dora', two, ['login', 'dora', ...args]);
    expect([code, err]).toEqual([0, expect.stringContaining('logged in as dora')]);
    expect(await done('dora', two, 'send', '#lobby', 'with a certificate')).toBe('');
  });

  it('a session that is ended at one is refused and cut at the other at once', async () => {
    const { token, connection } = await endElsewhere('phone', async () => {});
    expect(token).toBeLessThan(mostToldMs);
    expect(connection).toBeLessThan(mostToldMs);
  });

  it('a session ends everywhere within five seconds without Redis, and messages go through meanwhile', async () => {
    const tail = await follow('bob', two);
    const { token, connection } = await endElsewhere('tablet', async () => {
      await redis.kill();
      await until(() => [one, two].every((node) => / bus-lost /.test(logOf(node))));
    });
    expect(token).toBeLessThan(mostEndedMs + answerMs);
    expect(connection).toBeLessThan(mostEndedMs + answerMs);
    await done('alice', one, 'send', '#lobby', 'without redis');
    await until(() => tail.lines().some((line) => line.endsWith('without redis')));
    tail.child.kill();
    await redis.start();
    await until(() => [one, two].every((node) => / bus-back /.test(logOf(node))));
  });

  it('the same idempotency key at both stores once', async () => {
    const sent = await Promise.all(
      [one, two].map((node) =>
        run('alice', node, ['send', '#lobby', 'once alone', '--key', 'k1', '-o', 'json']),
      ),
    );
    expect(sent.map(({ code }) => code)).toEqual([0, 0]);
    const ids = sent.map(({ out }) => (JSON.parse(out) as { id: string }).id);
    expect(ids[0]).toBe(ids[1]);
    const history = await done('alice', two, 'tail', '#lobby', '--once', '-n', '100');
    expect(history.match(/once alone/g)).toHaveLength(1);
  });

  it('of the codes that both have printed one makes the first administrator, who sees both nodes', async () => {
    await until(() => [one, two].every((node) => / claim /.test(logOf(node))));
    const codes = [one, two].map((node) => /chat admin claim (\S+) /.exec(logOf(node))?.[1] ?? '');
    expect(new Set(codes).size).toBe(2);
    // Each at the other node, where it was not printed.
    const claims = [
      await run('alice', two, ['admin', 'claim', codes[0] ?? '']),
      await run('alice', one, ['admin', 'claim', codes[1] ?? '']),
    ];
    expect(claims.filter(({ code }) => code === 0)).toHaveLength(1);
    for (const code of codes) expect((await run('bob', one, ['admin', 'claim', code])).code).not.toBe(0);

    const statsOf = async (node: RunningServer) =>
      JSON.parse(await done('alice', node, 'admin', 'stats', '-o', 'json')) as Record<string, unknown>;
    // A node that is new or was away is heard within seconds.
    await until(async () => (await statsOf(one)).bus_peers === 1 && (await statsOf(two)).bus_peers === 1);
    const [here = {}, there = {}] = await Promise.all([statsOf(one), statsOf(two)]);
    for (const stats of [here, there]) {
      expect(stats).toMatchObject({
        store: expect.stringMatching(/^PostgreSQL \d/),
        store_up: true,
        bus_up: true,
        accounts: 3,
        messages: here.messages,
      });
    }
    expect(here.node_id).not.toBe(there.node_id);
  });

  it('a backup is refused, with the tool that makes one', async () => {
    const backup = await run('alice', two, ['admin', 'backup']);
    expect([backup.code, backup.err]).toEqual([2, expect.stringContaining('pg_dump')]);
  });

  it('limits count once for both', async () => {
    await done('alice', one, 'join', '#limited', '--create');
    const codes: (number | null)[] = [];
    for (let index = 0; index < joinsPerMinute + 2; index++) {
      const [node, what] = index % 2 === 0 ? ([one, 'join'] as const) : ([two, 'leave'] as const);
      codes.push((await run('bob', node, [what, '#limited'])).code);
    }
    expect(codes).toEqual([...Array(joinsPerMinute).fill(0), 8, 8]);
  });

  it('a database that is away is unavailable, and ends no node', async () => {
    await postgres.kill();
    const refused = await run('alice', one, ['send', '#lobby', 'too early', '--timeout', '2']);
    expect(refused.code).toBe(3);
    await postgres.start();
    await until(
      async () => (await run('alice', one, ['send', '#lobby', 'again', '--timeout', '5'])).code === 0,
    );
    expect(one.child.exitCode).toBeNull();
  });

  it('a node with another secret, with another key, or without the bus is refused with what to do', async () => {
    const refusal = (name: string, ...given: readonly string[]): Promise<Outcome> =>
      lab.run('server', ['serve', '--listen', '127.0.0.1:0', '--data', join(lab.directory, name), ...given]);
    const other = join(lab.directory, 'other-secret');
    writeFileSync(other, randomBytes(32).toString('base64'), { mode: 0o600 });
    const [store = '', bus = '', secret = ''] = [1, 3, 5].map((index) => flags[index]);
    // A server's own, with a key of its own.
    const alone = await lab.serve([], join(lab.directory, 'alone'));
    expect(await alone.stop()).toBe(0);
    const refused = await Promise.all([
      refusal('three', '--store', store, '--bus', bus, '--cluster-secret', other),
      refusal('four', '--store', store, '--cluster-secret', secret),
      refusal('alone', '--store', store, '--bus', bus, '--cluster-secret', secret),
    ]);
    expect(refused.map(({ code, err }) => [code, err])).toEqual([
      [2, expect.stringContaining('--cluster-secret is not the secret under which')],
      [3, expect.stringContaining('start each of them with --bus')],
      [2, expect.stringContaining('is not the key that the nodes of this server share')],
    ]);
    expect([one, two].map(({ child }) => child.exitCode)).toEqual([null, null]);
  });
});
