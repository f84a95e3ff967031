import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { run } from '../../../src/cli/main.ts';
import { systemHost } from '../../../src/cli/system-host.ts';
import { fakeClient, fakeServer } from './fake-client.ts';

/** Prints the session token of a login that has to be refreshed; the refresh is counted and answered over a socket. */
const [, , stateHome = '', port = ''] = process.argv;
function say(word: string): Socket {
  const socket = connect(Number(port), '127.0.0.1');
  socket.write(word);
  return socket;
}

const server = fakeServer({ 'session.refresh': async () => JSON.parse(await text(say('refresh'))) });
server.alive.set('cs1_second', 'alice');
/** The time of the tests (fake-host.ts), so that the clock of the machine does not matter. */
const now = () => Date.parse('2026-11-21T06:00:00.000Z');
const host = { ...systemHost(), now, env: { XDG_STATE_HOME: stateHome }, client: fakeClient(server) };
const begun = say('begin');
process.exitCode = await run(['token'], host);
begun.destroy();
