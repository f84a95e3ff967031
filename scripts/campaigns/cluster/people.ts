import type { Connection } from '../../../src/client/connection.ts';
import { login } from '../../../src/client/login.ts';
import { register } from '../../../src/client/register.ts';
import { password } from '../people.ts';
import { openAt } from './clients.ts';
import type { ClusterNode } from './nodes.ts';

/** How long a password may take on a busy machine, in milliseconds. */
const passwordMs = 60_000;

/** Makes an account at a node; answers the token of a session. */
export async function signUpAt(node: ClusterNode, username: string): Promise<string> {
  const connection = await openAt(node, undefined, passwordMs);
  try {
    await register(connection, { username, password });
    return await sessionOn(connection, username);
  } finally {
    await connection.close();
  }
}

/** One more session of an account of {@link signUpAt}. */
export async function logInAt(node: ClusterNode, username: string): Promise<string> {
  const connection = await openAt(node, undefined, passwordMs);
  try {
    return await sessionOn(connection, username);
  } finally {
    await connection.close();
  }
}

async function sessionOn(connection: Connection, username: string): Promise<string> {
  const { session } = await login(connection, { username, password });
  return session.session_token;
}
