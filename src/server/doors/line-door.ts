import {
  jsonRpcEvents,
  jsonRpcNumbers,
  pingRequest,
  readFrame,
  writeError,
} from '../../core/codecs/json-rpc.ts';
import type { Arrival, DoorParts, OpenDoor } from './door.ts';
import { startHeartbeat } from './heartbeat.ts';
import { JsonRpcCalls } from './json-rpc-calls.ts';
import { LineConnection } from './line-connection.ts';

/** Serves JSON-RPC 2.0, one object per line (protocol, "JSON-RPC 2.0 door"). */
export function openLineDoor(arrival: Arrival, parts: DoorParts): OpenDoor {
  const lines = new LineConnection(arrival, parts, { door: 'line', events: jsonRpcEvents });
  const calls = new JsonRpcCalls(lines, parts.calls);
  let pings = 0;
  const heartbeat = startHeartbeat(lines, parts.limits.pingMs, () => {
    pings += 1;
    lines.say(pingRequest(pings));
  });
  lines.onHeard = () => heartbeat.heard();
  lines.start({
    take: (line) => calls.take(readFrame(line)),
    // What is not UTF-8 is not JSON either (RFC 8259 section 8.1).
    spell: (error) => writeError(null, error, error.code === 'invalid' ? jsonRpcNumbers.notJson : undefined),
  });
  return lines;
}
