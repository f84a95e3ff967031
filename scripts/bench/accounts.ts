import { toBase64 } from '../../src/core/crypto/bytes.ts';
import { formatHashedPassword } from '../../src/core/crypto/hashed-password.ts';
import { saltBytes } from '../../src/core/crypto/stretch.ts';
import { chatSuite, verifierFrom } from '../../src/core/crypto/verifier.ts';
import type { Username } from '../../src/core/model/username.ts';
import { randomBytes } from '../../src/core/random.ts';
import { platformDigests } from '../../src/server/digests.ts';
import { benchCost, type StartedServer } from './lab.ts';
import { Wire } from './wire.ts';

/** An account with everything that it can log in with. */
export interface BenchAccount {
  readonly userId: string;
  readonly username: Username;
  /** What a client would make of its password: challenge and response need no more. */
  readonly authSecret: Uint8Array;
  /** The same where it is shown in the password's place. */
  readonly hashedPassword: string;
  /** A session that is left open, for who comes with a token. */
  readonly token: string;
}

/** An account whose password works at every door. */
export interface OpenAccount {
  readonly username: Username;
  readonly password: string;
}

/** One call in JSON-RPC; throws {@link Refused} for an error. */
export async function call<T>(wire: Wire, method: string, params: object): Promise<T> {
  let answer = JSON.parse(await wire.line(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })));
  // The server's pings need no answer from who calls.
  while (answer.method !== undefined) answer = JSON.parse(await wire.nextLine());
  if (answer.error) throw new Refused(answer.error.data.code, answer.error.data.retry_after_ms);
  return answer.result;
}

/** What the server said instead of logging somebody in. */
export class Refused extends Error {
  readonly code: string;
  /** Undefined where the door does not say. */
  readonly retryAfterMs: number | undefined;

  constructor(code: string, retryAfterMs?: number) {
    super(`refused: ${code}`);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Makes accounts from random secrets: no password is stretched, since the server only ever sees what comes of it. */
export function privateAccounts(lab: Pick<StartedServer, 'port'>, count: number): Promise<BenchAccount[]> {
  return Promise.all(
    Array.from({ length: count }, (_, index) => privateAccount(lab, `private-${index}` as Username)),
  );
}

async function privateAccount(lab: Pick<StartedServer, 'port'>, username: Username): Promise<BenchAccount> {
  const wire = await Wire.open(lab.port);
  const authSecret = randomBytes(32);
  const salt = randomBytes(saltBytes);
  const { storedKey, serverKey } = verifierFrom(authSecret, salt, benchCost, platformDigests);
  await call(wire, 'account.register', {
    username,
    verifier: {
      suite: chatSuite,
      salt: toBase64(salt),
      cost: benchCost,
      stored_key: toBase64(storedKey),
      server_key: toBase64(serverKey),
    },
  });
  const hashedPassword = formatHashedPassword(authSecret);
  const opened = await call<{ user_id: string; session_token: string }>(wire, 'login.hashed-password', {
    username,
    hashed_password: hashedPassword,
  });
  wire.close();
  return { userId: opened.user_id, username, authSecret, hashedPassword, token: opened.session_token };
}

/** Makes accounts whose password the server is shown; it stretches each once. */
export async function openAccounts(lab: Pick<StartedServer, 'port'>, count: number): Promise<OpenAccount[]> {
  const wire = await Wire.open(lab.port);
  const made: OpenAccount[] = [];
  for (let i = 0; i < count; i++) {
    const account = { username: `open-${i}` as Username, password: `bench password ${i}` };
    await call(wire, 'account.register', account);
    made.push(account);
  }
  wire.close();
  return made;
}
