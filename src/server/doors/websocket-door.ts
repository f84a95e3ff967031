import type { IncomingMessage } from 'node:http';
import {
  type Authenticate,
  readAuthenticate,
  writeAuthFailure,
  writeAuthSuccess,
} from '../../core/codecs/authenticate.ts';
import { readFrame, writeError } from '../../core/codecs/json-rpc.ts';
import { lingerAndClose } from '../linger.ts';
import { authFailureStatus } from './close-codes.ts';
import type { Arrival, DoorParts, OpenDoor } from './door.ts';
import { JsonRpcCalls } from './json-rpc-calls.ts';
import { httpRefusal } from './refusals.ts';
import { shakeHands } from './websocket.ts';
import { WebSocketConnection } from './websocket-connection.ts';
import { refuseUpgrade } from './websocket-request.ts';

/** A request for an upgrade, as an HTTP server hands it over: nothing else reads its socket any more. */
export interface Upgrade {
  readonly arrival: Arrival;
  readonly request: IncomingMessage;
  /** What came after the request. */
  readonly head: Buffer;
}

/**
 * Serves one WebSocket (five-systems, section 2): JSON-RPC 2.0, one object per text message, and instead of a login by
 * JSON-RPC the message `Authenticate`. Undefined when the request was refused, which is answered and closing by itself.
 */
export function openWebSocketDoor(
  { arrival, request, head }: Upgrade,
  parts: DoorParts,
): OpenDoor | undefined {
  const { socket } = arrival;
  const { allowedOrigins, limits } = parts;
  const isSecure = 'encrypted' in socket;
  const refused = refuseUpgrade(request, { isSecure, allowedOrigins });
  if (refused) {
    socket.write(httpRefusal(refused.error, { ...refused, isSecure }));
    lingerAndClose(socket);
    return undefined;
  }
  const websocket = shakeHands({ request, socket, head }, limits.maxLineBytes);
  if (!websocket) return undefined;
  const connection = new WebSocketConnection(arrival, parts, websocket);
  const calls = new JsonRpcCalls(connection, parts.calls);
  connection.start({
    take(text) {
      const frame = readFrame(text, 'message');
      const object = frame.kind === 'bad' ? frame.object : undefined;
      const first = object && readAuthenticate(object);
      if (!first) calls.take(frame);
      else {
        connection.noteCall();
        connection.add(false, () => authenticate(connection, parts, first));
      }
    },
    spell: (error) => writeError(null, error),
  });
  return connection;
}

/** What `login.resume` answers. */
interface Resumed {
  readonly user_id: string;
  readonly username: string;
  readonly expires_at: string;
}

/** Logs the connection in, or closes it; one that is logged in already stays as it is. */
async function authenticate(
  connection: WebSocketConnection,
  { calls }: DoorParts,
  first: Authenticate,
): Promise<void> {
  const peer = connection.connection;
  if (peer.session) {
    connection.say(writeAuthFailure('this connection is logged in already'));
    return;
  }
  if (first.kind === 'bad') {
    connection.say(writeAuthFailure(first.reason));
    connection.close(authFailureStatus('invalid'));
    return;
  }
  try {
    const { sessionToken: session_token, userId: user_id } = first;
    const resumed = (await calls.call(peer, 'login.resume', { session_token, user_id })) as Resumed;
    connection.say(writeAuthSuccess(resumed));
  } catch (error) {
    const safe = connection.safe(error);
    connection.say(writeAuthFailure(safe.message));
    connection.close(authFailureStatus(safe.code));
  }
}
