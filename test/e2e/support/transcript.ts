import { expect } from 'vitest';
import { fromBase64 } from '../../../src/core/crypto/bytes.ts';
import { formatHashedPassword } from '../../../src/core/crypto/hashed-password.ts';
import { beginLogin, type FinishedLogin } from '../../../src/core/crypto/scram-client.ts';
import { stretch } from '../../../src/core/crypto/stretch.ts';
import { parsePassword } from '../../../src/core/model/password.ts';
import { parseUsername } from '../../../src/core/model/username.ts';

/** Placeholders in what a transcript receives: `{uuid}`, or `{exchange:uuid}` to say it later as `{=exchange}`. */
const placeholders: Readonly<Record<string, string>> = {
  uuid: '[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}',
  instant: '\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z',
  base64: '[A-Za-z0-9+/]+=*',
  base64url: '[A-Za-z0-9_-]+',
  token: 'cs1_[A-Za-z0-9_-]{43}',
  refresh: 'cr1_[A-Za-z0-9_-]{43}',
  number: '\\d+',
  date: '\\w{3}, \\d\\d \\w{3} \\d{4} \\d\\d:\\d\\d:\\d\\d GMT',
  text: '[^"]*',
  field: '[^|]*',
  rest: '.*',
  hex: '[0-9a-f]+',
  time: '\\d{4}-\\d{2}-\\d{2} \\d{2}:\\d{2}:\\d{2}',
  bindings: '(?:"tls-exporter")?',
};

let plays = 0;

/**
 * What one play of a transcript knows: names that nobody has yet (`{=user}`, `{=peer}`), a session token of alice's
 * (`{=token}`), and everything that was kept on the way. `{=proof}` and `{=hashed}` are worked out from what was kept.
 */
export class TranscriptValues {
  readonly #values: Map<string, string>;
  #login: FinishedLogin | undefined;

  constructor(token: string) {
    plays += 1;
    this.#values = new Map([
      ['token', token],
      ['user', `user${plays}`],
      ['peer', `peer${plays}`],
    ]);
  }

  /** Takes `KEY value` of a line that keeps something. */
  keep(line: string): void {
    const [, key = '', value = ''] = /^(\w+) (.*)$/.exec(line) ?? [];
    this.#values.set(key, value);
  }

  /** Puts what is known in its places. */
  async filled(line: string): Promise<string> {
    if (line.includes('{=proof}')) this.#values.set('proof', await this.#proof());
    if (line.includes('{=hashed}')) this.#values.set('hashed', await this.#hashedPassword());
    return line.replaceAll(/\{=(\w+)\}/g, (_, name: string) => {
      const value = this.#values.get(name);
      if (value === undefined) throw new Error(`nothing was kept as ${name}`);
      return value;
    });
  }

  /** Compares what came with a line of the transcript, and keeps what has a name in it. */
  async expect(said: string, line: string): Promise<void> {
    const expected = pattern(await this.filled(line));
    expect(said).toMatch(expected);
    for (const [key, value] of Object.entries(expected.exec(said)?.groups ?? {})) {
      this.#values.set(key, value);
      // Throws unless the server knows the account too.
      if (key === 'signature') this.#login?.verifyServer(`v=${value}`);
    }
  }

  #known(name: string): string {
    return this.#values.get(name) ?? '';
  }

  /** The proof for the challenge that was kept as `challenge`, with alice's password, to a client-first without a binding. */
  async #proof(): Promise<string> {
    const [, name = '', clientNonce = ''] = /^n,,n=(.*),r=(.*)$/.exec(this.#known('client_first')) ?? [];
    const username = parseUsername(name);
    const read = beginLogin({ username, binding: { kind: 'none' }, clientNonce }).readChallenge(
      this.#known('challenge'),
      {
        serverPublicKey: fromBase64(this.#known('server_key')) ?? new Uint8Array(),
        offer: {
          suites: ['CHAT-SCRAM-BCRYPT-1'],
          bindings: this.#known('bindings') === '' ? [] : ['tls-exporter'],
        },
      },
    );
    const { realm, salt, cost } = read;
    const password = parsePassword('password of alice');
    this.#login = read.finish(await stretch({ realm, username, password, salt, cost }));
    return this.#login.message;
  }

  /** What a client makes of the password `words of USER` with the realm, salt and cost that were kept. */
  async #hashedPassword(): Promise<string> {
    const username = parseUsername(this.#known('user'));
    const secret = await stretch({
      realm: this.#known('realm'),
      username,
      password: parsePassword(`words of ${username}`),
      salt: fromBase64(this.#known('salt')) ?? new Uint8Array(),
      cost: Number(this.#values.get('cost')),
    });
    return formatHashedPassword(secret);
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
