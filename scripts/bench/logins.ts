import { fromBase64 } from '../../src/core/crypto/bytes.ts';
import { beginLogin } from '../../src/core/crypto/scram-client.ts';
import { stretch } from '../../src/core/crypto/stretch.ts';
import { parsePassword } from '../../src/core/model/password.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { certificateLogins } from './certificate-logins.ts';
import { type Figure, type Lab, open } from './lab.ts';

/** Fewer than the exchanges one address may have open. */
const lanes = 16;
const seconds = 3;

/** Challenge–response logins per second, the session stored; the password is stretched once, as a client would that logs in often. And logins by certificate. */
export async function logins(lab: Lab): Promise<Figure[]> {
  const username = parseUsername('bench');
  const password = parsePassword('bench password');
  const secrets = new Map<string, Promise<Uint8Array>>();
  let count = 0;
  const end = performance.now() + seconds * 1_000;
  const lane = async (): Promise<void> => {
    const connection = await open(lab.port);
    while (performance.now() < end) {
      const started = beginLogin({ username, binding: { kind: 'none' }, offeredBindings: [] });
      const begun = await connection.call('login.begin', { message: started.message });
      const challenged = started.readChallenge(begun.message, {
        serverPublicKey: fromBase64(begun.server_key) ?? new Uint8Array(),
        offer: { suites: begun.suites, bindings: begun.bindings },
      });
      const { salt, cost, realm } = challenged;
      const id = salt.toString();
      const secret = secrets.get(id) ?? stretch({ realm, username, password, salt, cost });
      secrets.set(id, secret);
      const finished = challenged.finish(await secret);
      const answer = await connection.call('login.finish', {
        exchange: begun.exchange,
        message: finished.message,
      });
      finished.verifyServer(answer.message);
      await connection.call('session.end', {});
      count += 1;
    }
    await connection.close();
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: lanes }, lane));
  const rate = (count / (performance.now() - start)) * 1_000;
  const bcrypt = await hashRate();
  return [
    {
      name: 'challenge–response logins (with logout; client in the same figure)',
      unit: '/s',
      value: rate,
      floor: { name: 'bcryptjs at cost 10 on one thread', value: bcrypt },
    },
    ...(await certificateLogins(lab)),
  ];
}

async function hashRate(): Promise<number> {
  const start = performance.now();
  const runs = 5;
  for (let i = 0; i < runs; i++) {
    await stretch({
      realm: 'floor',
      username: parseUsername('bench'),
      password: parsePassword('bench password'),
      salt: new Uint8Array(16),
      cost: 10,
    });
  }
  return (runs / (performance.now() - start)) * 1_000;
}
