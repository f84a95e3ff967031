import type { Socket } from 'node:net';
import type { FormPages } from '../../core/codecs/http-form.ts';
import type { EndReason } from '../../core/events.ts';
import type { DoorName } from '../../core/model/session.ts';
import type { Channel, Peer } from '../../core/peer.ts';
import type { Turn } from '../../core/turn.ts';
import type { TrustedProxies } from './trusted-proxies.ts';

/** The limits of connections and doors. Times in milliseconds; 0 switches a limit off. */
export interface DoorLimits {
  /** Open connections in all. */
  readonly maxConnections: number;
  /** Open connections from one IPv4 address or one IPv6 /64. */
  readonly maxConnectionsPerAddress: number;
  /** TLS handshakes under way. */
  readonly maxHandshakes: number;
  /** Until the first byte of a new connection, and again of what TLS carries. */
  readonly firstByteMs: number;
  /** For a whole TLS handshake. */
  readonly handshakeMs: number;
  /** From the first byte of a line to its end, before login. */
  readonly startedLineMs: number;
  /** The same after login: generous, since a logged-in peer is known and counted. */
  readonly startedLineAfterLoginMs: number;
  /** Without any call before login, on line doors. */
  readonly idleBeforeLoginMs: number;
  /** Between two questions whether a peer is still there: a ping, or after twice as long TCP's own. */
  readonly pingMs: number;
  /** One line, in bytes without its end. */
  readonly maxLineBytes: number;
  /** Calls of one connection running or waiting. */
  readonly maxPipelined: number;
  /** Answers and events waiting for one peer; beyond it, its requests are not read. */
  readonly maxQueuedBytes: number;
}

/** What doors ask of chat. */
export interface Calls {
  /** Serves one call; throws nothing but `ChatError`. */
  call(peer: Peer, name: string, params: unknown): Promise<unknown>;
  /** True when calls of this name on one connection may overlap with each other. */
  overlaps(name: string): boolean;
  /** Binds the session of a token to a peer that lives for one request; `unauthenticated` when it is not alive. */
  identify(peer: Peer, token: string): Promise<void>;
  /** Resolves when calls can be served; `unavailable` otherwise. */
  ready(): Promise<void>;
  /** Resolves when a connection has been given what was stored before now in what it follows. */
  told(peer: Peer): Promise<void>;
}

/** What every door works with. */
export interface DoorParts {
  readonly calls: Calls;
  readonly turn: Turn;
  readonly limits: DoorLimits;
  /** The program's, for who asks what it is talking to. */
  readonly version: string;
  /** The pages of the cookie workflow; all there are unless a test hands in its own. */
  readonly pages?: FormPages;
  /** Origins of pages that may connect besides the server's own: `https://chat.example`. */
  readonly allowedOrigins: readonly string[];
  /** Who may say where a request came from. */
  readonly proxies: TrustedProxies;
  /** Takes exceptions that are nobody's answer; answers the id of their log entry. */
  readonly onFailure: (error: unknown) => string;
}

/** A connection whose first bytes have been read and have chosen a door. */
export interface Arrival {
  readonly id: number;
  /** The TCP socket, or the TLS socket over it. */
  readonly socket: Socket;
  /** What was read so far, for the door to begin with. */
  readonly bytes: Buffer;
  /** True when the peer has already said that it sends no more. */
  readonly hasEnded: boolean;
  /** Canonical text of the peer's IP address; behind HTTP, of the client that a trusted proxy speaks for. */
  readonly address: string;
  readonly channel: Channel;
}

/** One connection that a door serves. */
export interface OpenDoor {
  /** Which one it is now: HTTP may become WebSocket. */
  readonly door: DoorName;
  /** Bytes that wait for its reader. */
  readonly queuedBytes: number;
  /** Takes no further call; resolves when those under way have been answered, or the peer is gone. */
  quiesce(): Promise<void>;
  /** Says why in the door's language, writes what is queued and closes. */
  end(reason: EndReason): void;
}

/** Serves an arrival; undefined when it was refused and is closing by itself. */
export type Door = (arrival: Arrival, parts: DoorParts) => OpenDoor | undefined;
