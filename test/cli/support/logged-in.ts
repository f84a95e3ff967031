import { type FakeServer, fakeClient, fakeServer } from './fake-client.ts';
import { type FakeHost, fakeHost, type Outcome, type Outside, runOn } from './fake-host.ts';

/** A host on which alice is logged in, and the scripted server that it talks to. */
export interface LoggedInWorld {
  readonly host: FakeHost;
  readonly server: FakeServer;
  run(...argv: string[]): Promise<Outcome>;
}

/** Logs alice in, then forgets what was called for it. */
export async function loggedIn(
  answers: Parameters<typeof fakeServer>[0] = {},
  outside: Outside = {},
): Promise<LoggedInWorld> {
  const server = fakeServer(answers);
  const host = await fakeHost({ ...outside, client: { ...fakeClient(server), ...outside.client } });
  const setUp = await fakeHost({
    client: fakeClient(server),
    stateHome: host.stateHome,
    env: { CHAT_PASSWORD: 'secret' },
  });
  const { code, stderr } = await runOn(setUp, 'login', 'alice');
  if (code !== 0) throw new Error(`the login for the test failed: ${stderr}`);
  server.calls.length = 0;
  server.opened = 0;
  server.closed = 0;
  return { host, server, run: (...argv) => runOn(host, ...argv) };
}
