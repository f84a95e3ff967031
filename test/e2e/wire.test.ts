import { readdirSync, readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromBase64 } from '../../src/core/crypto/bytes.ts';
import { formatHashedPassword } from '../../src/core/crypto/hashed-password.ts';
import { beginLogin, type FinishedLogin } from '../../src/core/crypto/scram-client.ts';
import { stretch } from '../../src/core/crypto/stretch.ts';
import { parsePassword } from '../../src/core/model/password.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { type Lab, openLab, type RunningServer } from './support/lab.ts';

/** Placeholders in what a transcript receives: `{uuid}`, or `{exchange:uuid}` to say it later as `{=exchange}`. */
const placeholders: Readonly<Record<string, string>> = {
  uuid: '[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}',
  instant: '\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z',
  base64: '[A-Za-z0-9+/]+=*',
  token: 'cs1_[A-Za-z0-9_-]{43}',
  refresh: 'cr1_[A-Za-z0-9_-]{43}',
  number: '\\d+',
  text: '[^"]*',
  field: '[^|]*',
  hex: '[0-9a-f]+',
  time: '\\d{4}-\\d{2}-\\d{2} \\d{2}:\\d{2}:\\d{2}',
  bindings: '(?:"tls-exporter")?',
};

let lab: Lab;
let server: RunningServer;
let token: string;

beforeAll(async () => {
  lab = openLab();
  server = await lab.serve();
  const env = { CHAT_SERVER: `127.0.0.1:${server.port}` };
  for (const name of ['alice', 'bob'])
    expect((await lab.run(name, ['register', name], { env })).code).toBe(0);
  token = (await lab.run('alice', ['token'], { env })).out.trim();
}, 60_000);
afterAll(() => lab.close());

const transports: Readonly<Record<string, () => Socket>> = {
  TCP: () => connectTcp({ port: server.port, host: '127.0.0.1' }),
  TLS: () => connectTls({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false }),
};

/** The client's half of a login within a transcript, with alice's password whoever logs in. */
class TranscriptLogin {
  #finished: FinishedLogin | undefined;

  /** The proof for the challenge that was kept as `challenge`, to a client-first message without a binding. */
  async proof(values: ReadonlyMap<string, string>): Promise<string> {
    const challenge = values.get('challenge') ?? '';
    const [, name = '', clientNonce = ''] = /^n,,n=(.*),r=(.*)$/.exec(values.get('client_first') ?? '') ?? [];
    const username = parseUsername(name);
    const started = beginLogin({ username, binding: { kind: 'none' }, clientNonce });
    const read = started.readChallenge(challenge, {
      serverPublicKey: fromBase64(values.get('server_key') ?? '') ?? new Uint8Array(),
      offer: {
        suites: ['CHAT-SCRAM-BCRYPT-1'],
        bindings: values.get('bindings') === '' ? [] : ['tls-exporter'],
      },
    });
    const { realm, salt, cost } = read;
    const password = parsePassword('password of alice');
    const secret = await stretch({ realm, username, password, salt, cost });
    this.#finished = read.finish(secret);
    return this.#finished.message;
  }

  /** Throws unless the server knows the account too. */
  verify(signature: string): void {
    this.#finished?.verifyServer(`v=${signature}`);
  }
}

let plays = 0;

/** What a transcript can say from its beginning: names that nobody has yet, and a session token of alice's. */
function given(): Map<string, string> {
  plays += 1;
  return new Map([
    ['token', token],
    ['user', `user${plays}`],
    ['peer', `peer${plays}`],
  ]);
}

/** What a client makes of the password `words of USER` with the realm, salt and cost that were kept. */
async function hashedPassword(values: ReadonlyMap<string, string>): Promise<string> {
  const username = parseUsername(values.get('user') ?? '');
  const secret = await stretch({
    realm: values.get('realm') ?? '',
    username,
    password: parsePassword(`words of ${username}`),
    salt: fromBase64(values.get('salt') ?? '') ?? new Uint8Array(),
    cost: Number(values.get('cost')),
  });
  return formatHashedPassword(secret);
}

/** The lines of one connection of a transcript. */
interface Side {
  readonly socket: Socket;
  readonly lines: AsyncIterator<string>;
}

/**
 * Plays a transcript: `> ` is sent with a line end, `< ` must be the next line received, `<EOF` the end of the connection,
 * `= ` keeps a value by name. `>b ` and `<b ` are a second connection's. `{=proof}` and `{=hashed}` are worked out from what
 * was kept.
 */
async function play(text: string, open: () => Socket): Promise<void> {
  const sides = new Map<string, Side>();
  const sideOf = (name: string): Side => {
    const socket = sides.get(name)?.socket ?? open();
    const side = sides.get(name) ?? {
      socket,
      lines: createInterface({ input: socket })[Symbol.asyncIterator](),
    };
    sides.set(name, side);
    return side;
  };
  const values = given();
  const login = new TranscriptLogin();
  const filled = (line: string): string =>
    line.replaceAll(/\{=(\w+)\}/g, (_, name: string) => {
      const value = values.get(name);
      if (value === undefined) throw new Error(`nothing was kept as ${name}`);
      return value;
    });
  try {
    for (const line of text.split('\n')) {
      const [, mark = '', name = '', rest = ''] = /^([=<>])(\w*) ?(.*)$/.exec(line) ?? [];
      if (mark === '=') {
        const [, key = '', value = ''] = /^(\w+) (.*)$/.exec(rest) ?? [];
        values.set(key, value);
      } else if (mark === '>') {
        if (rest.includes('{=proof}')) values.set('proof', await login.proof(values));
        if (rest.includes('{=hashed}')) values.set('hashed', await hashedPassword(values));
        sideOf(name).socket.write(`${filled(rest)}\n`);
      } else if (mark === '<' && name.endsWith('EOF')) {
        expect(await sideOf(name.slice(0, -3)).lines.next()).toMatchObject({ done: true });
      } else if (mark === '<') {
        const next = await sideOf(name).lines.next();
        expect(next.done, `the connection ended before: ${line}`).not.toBe(true);
        const said: string = next.value ?? '';
        const expected = pattern(filled(rest));
        expect(said).toMatch(expected);
        for (const [key, value] of Object.entries(expected.exec(said)?.groups ?? {})) values.set(key, value);
        const signature = values.get('signature');
        if (signature !== undefined) login.verify(signature);
      } else if (!line.startsWith('#') && line !== '') {
        throw new Error(`not a line of a transcript: ${line}`);
      }
    }
  } finally {
    for (const { socket } of sides.values()) socket.destroy();
  }
}

function pattern(line: string): RegExp {
  const parts = line.split(/(\{(?:\w+:)?\w+\})/).map((part) => {
    const [, name, kind = ''] = /^\{(?:(\w+):)?(\w+)\}$/.exec(part) ?? [];
    const known = placeholders[kind];
    if (known === undefined) return part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
    return name === undefined ? `(?:${known})` : `(?<${name}>${known})`;
  });
  return new RegExp(`^${parts.join('')}$`);
}

describe.each(Object.keys(transports))('over %s', (transport) => {
  const directory = new URL('../wire/', import.meta.url).pathname;
  it.each(readdirSync(directory).filter((name) => name.endsWith('.txt')))(
    '%s goes as written',
    async (name) => {
      const open = transports[transport];
      if (open) await play(readFileSync(join(directory, name), 'utf8'), open);
    },
  );
});
