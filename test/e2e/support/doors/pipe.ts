import { fromBase64 } from '../../../../src/core/crypto/bytes.ts';
import { formatHashedPassword } from '../../../../src/core/crypto/hashed-password.ts';
import { parsePassword } from '../../../../src/core/model/password.ts';
import { parseUsername } from '../../../../src/core/model/username.ts';
import { Lines } from './lines.ts';
import { stretched } from './stretched.ts';
import type { Place, TestDoor, Visit } from './test-door.ts';

type MakeSecret = (lines: Lines, username: string, password: string) => Promise<string>;

/** Logs in and answers the session's token. */
export async function tokenByPipe(place: Place, username: string, password: string): Promise<string> {
  const lines = new Lines(place);
  lines.say(`AUTH|${username}|${await hashed(lines, username, password)}`);
  const [, token = ''] = await lines.nextLike(/^AUTH\|SUCCESS\|(.*)$/);
  lines.close();
  return token;
}

/** What a client of document 1 makes of its password after `SALT`. */
const hashed: MakeSecret = async (lines, name, password) => {
  lines.say(`SALT|${name}`);
  const [, realm = '', salt = '', cost] = await lines.nextLike(/^SALT\|SUCCESS\|(.*)\|(.*)\|(.*)$/);
  const secret = await stretched({
    realm,
    username: parseUsername(name),
    password: parsePassword(password),
    salt: fromBase64(salt) ?? new Uint8Array(),
    cost: Number(cost),
  });
  return formatHashedPassword(secret);
};

function pipe(name: string, makes: TestDoor['makes'], secretOf: MakeSecret): TestDoor {
  return {
    name,
    door: 'pipe',
    makes,
    showsPassword: makes === 'open',
    async register(place, username, password) {
      const lines = new Lines(place);
      lines.say(`REGISTER|${username}|${await secretOf(lines, username, password)}`);
      await lines.nextLike(/^REGISTER\|SUCCESS$/);
      lines.close();
    },
    async logIn(place, username, credential) {
      const lines = new Lines(place);
      if ('token' in credential) lines.say(`TOKEN|${credential.token}`);
      else lines.say(`AUTH|${username}|${await secretOf(lines, username, credential.password)}`);
      await lines.nextLike(/^(AUTH|TOKEN)\|SUCCESS\|/);
      return visit(lines);
    },
  };
}

function visit(lines: Lines): Visit {
  return {
    async send(to, text) {
      lines.say(`SEND|@${to}|${text}`);
      await lines.nextLike(/^SEND\|SUCCESS\|/);
    },
    async read(from, count) {
      lines.say(`FOLLOW|@${from}|0`);
      const texts: string[] = [];
      while (texts.length < count) {
        const [, text = ''] = await lines.nextLike(/^MESSAGE\|[^|]*\|\d+\|[^|]*\|[^|]*\|(.*)$/);
        texts.push(text);
      }
      return texts;
    },
    ended: () => lines.ended(),
    close: () => lines.close(),
  };
}

/** Document 1 with a secret that the client derives. */
export const pipeHashed = pipe('pipe, hashed', 'private', hashed);
/** Document 1 with an opaque secret, which is the password. */
export const pipeOpaque = pipe('pipe, opaque', 'open', async (_lines, _name, password) => password);
