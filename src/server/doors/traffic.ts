import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { DoorName } from '../../core/model/session.ts';
import type { OpenDoor } from './door.ts';

/** Why a connection was refused before a door was opened for it. */
export type ConnectionRefusal =
  | 'server'
  | 'address'
  | 'handshakes'
  | 'clear-text'
  | 'slow'
  | 'no-proxy-header';

/** What has come through the port, and what is open there. */
export interface TrafficFigures {
  /** Open connections by door, over TLS or in clear text: every door, also with none. */
  readonly open: ReadonlyArray<{
    readonly door: DoorName;
    readonly isSecure: boolean;
    readonly count: number;
  }>;
  /** Open connections that have not come to a door. */
  readonly undecided: number;
  readonly accepted: number;
  readonly refused: Readonly<Record<ConnectionRefusal, number>>;
  /** TLS handshakes that did not come to an end. */
  readonly failedHandshakes: number;
  /** Of the network, in and out: with what TLS adds. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Bytes that wait for readers, in all and for the one with the most. */
  readonly queuedBytes: number;
  readonly mostQueuedBytes: number;
}

/** Counts what comes through one port: a few numbers for each connection, and nothing for what goes over it. */
export interface Traffic {
  accepted(): void;
  refused(why: ConnectionRefusal): void;
  handshakeFailed(): void;
  /** A connection has closed: how much went over it is counted now. */
  closed(socket: Socket): void;
  /** Reads the numbers: `sockets` are the connections of the network, `open` those that came to a door. */
  read(sockets: ReadonlySet<Socket>, open: ReadonlyMap<Socket, OpenDoor>): TrafficFigures;
}

const doorNames = Object.keys({
  line: true,
  pipe: true,
  slash: true,
  http: true,
  cookie: true,
  websocket: true,
} satisfies Record<DoorName, true>) as DoorName[];

/** Builds the counters of one port. */
export function createTraffic(): Traffic {
  const refused: Record<ConnectionRefusal, number> = {
    server: 0,
    address: 0,
    handshakes: 0,
    'clear-text': 0,
    'no-proxy-header': 0,
    slow: 0,
  };
  let accepted = 0;
  let failedHandshakes = 0;
  let closedIn = 0;
  let closedOut = 0;

  return {
    accepted() {
      accepted += 1;
    },
    refused(why) {
      refused[why] += 1;
    },
    handshakeFailed() {
      failedHandshakes += 1;
    },
    closed(socket) {
      closedIn += socket.bytesRead;
      closedOut += socket.bytesWritten;
    },
    read(sockets, open) {
      let bytesIn = closedIn;
      let bytesOut = closedOut;
      for (const socket of sockets) {
        bytesIn += socket.bytesRead;
        bytesOut += socket.bytesWritten - socket.writableLength;
      }
      const byDoor = new Map(doorNames.map((door) => [door, { clear: 0, secure: 0 }]));
      let queuedBytes = 0;
      let mostQueuedBytes = 0;
      for (const [socket, { door, queuedBytes: queued }] of open) {
        const counts = byDoor.get(door);
        if (counts) counts[socket instanceof TLSSocket ? 'secure' : 'clear'] += 1;
        queuedBytes += queued;
        mostQueuedBytes = Math.max(mostQueuedBytes, queued);
      }
      return {
        open: [...byDoor].flatMap(([door, { clear, secure }]) => [
          { door, isSecure: false, count: clear },
          { door, isSecure: true, count: secure },
        ]),
        undecided: Math.max(sockets.size - open.size, 0),
        accepted,
        refused: { ...refused },
        failedHandshakes,
        bytesIn,
        bytesOut,
        queuedBytes,
        mostQueuedBytes,
      };
    },
  };
}
