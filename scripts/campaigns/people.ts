import { type Connection, connect } from '../../src/client/connection.ts';
import { login } from '../../src/client/login.ts';
import { register } from '../../src/client/register.ts';
import { resume } from '../../src/client/resume.ts';
import type { ServerProcess } from './server-process.ts';

/** Of everybody in a campaign. */
export const password = 'a campaign of faults';

/** Connects to a server of a campaign, in clear text, and resumes the session of `token` if there is one. */
export async function open(port: number, token?: string): Promise<Connection> {
  const connection = await connect({
    server: { scheme: 'plain', host: '127.0.0.1', port },
    timeoutMs: 10_000,
    checkIdentity: async () => {},
  });
  if (token !== undefined) await resume(connection, token);
  return connection;
}

/** Makes an account and logs it in; answers the session's token. */
export async function signUp(port: number, username: string): Promise<string> {
  const connection = await open(port);
  try {
    await register(connection, { username, password });
    return await logIn(connection, username);
  } finally {
    await connection.close();
  }
}

/** Logs an account of {@link signUp} in on a connection; answers the session's token. */
export async function logIn(connection: Connection, username: string): Promise<string> {
  const { session } = await login(connection, { username, password });
  return session.session_token;
}

/** Makes those who a load needs: one who sends, and a peer; and a room besides the lobby. Answers the sender's token. */
export async function signUpSender(port: number): Promise<string> {
  await signUp(port, 'peer');
  const token = await signUp(port, 'sender');
  const connection = await open(port, token);
  await connection.call('room.create', { room: 'ops' });
  await connection.close();
  return token;
}

/** Makes the account of a session the first administrator, with the code that the server has told at its start. */
export async function becomeAdministrator({ port, errors }: ServerProcess, token: string): Promise<void> {
  const [, code = ''] = /chat admin claim (\S+)/.exec(errors) ?? [];
  const connection = await open(port, token);
  await connection.call('admin.claim', { code });
  await connection.close();
}
