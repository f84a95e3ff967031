import { readdirSync, readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromBase64 } from '../../src/core/crypto/bytes.ts';
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

/**
 * Plays a transcript: `> ` is sent with a line end, `< ` must be the next line received, `<EOF` the end of the connection,
 * `= ` keeps a value by name. `{=proof}` is worked out from what was kept.
 */
async function play(text: string, socket: Socket): Promise<void> {
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const values = new Map([['token', token]]);
  const login = new TranscriptLogin();
  const filled = (line: string): string =>
    line.replaceAll(/\{=(\w+)\}/g, (_, name: string) => {
      const value = values.get(name);
      if (value === undefined) throw new Error(`nothing was kept as ${name}`);
      return value;
    });
  try {
    for (const line of text.split('\n')) {
      if (line.startsWith('= ')) {
        const [, name = '', value = ''] = /^= (\w+) (.*)$/.exec(line) ?? [];
        values.set(name, value);
      } else if (line.startsWith('> ')) {
        if (line.includes('{=proof}')) values.set('proof', await login.proof(values));
        socket.write(`${filled(line.slice(2))}\n`);
      } else if (line === '<EOF') {
        expect(await lines.next()).toMatchObject({ done: true });
      } else if (line.startsWith('<')) {
        const next = await lines.next();
        expect(next.done, `the connection ended before: ${line}`).not.toBe(true);
        const said: string = next.value ?? '';
        const expected = pattern(filled(line.slice(2)));
        expect(said).toMatch(expected);
        for (const [name, value] of Object.entries(expected.exec(said)?.groups ?? {}))
          values.set(name, value);
        const signature = values.get('signature');
        if (signature !== undefined) login.verify(signature);
      } else if (!line.startsWith('#') && line !== '') {
        throw new Error(`not a line of a transcript: ${line}`);
      }
    }
  } finally {
    socket.destroy();
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
      if (open) await play(readFileSync(join(directory, name), 'utf8'), open());
    },
  );
});
