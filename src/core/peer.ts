import type { EndReason, EventCodec } from './events.ts';
import type { ShownCertificate } from './model/certificate.ts';
import type { DoorName, Session } from './model/session.ts';

/** What a connection's transport offers to the login suites (security 1.4, 1.6). */
export interface Channel {
  /** DER SPKI of the server's identity key. */
  readonly serverKey: Uint8Array;
  /** 32 bytes of RFC 9266 keying material; undefined where the transport cannot bind (clear text, TLS 1.2). */
  readonly tlsExporter?: () => Uint8Array;
  /**
   * The certificate that this connection's other end has shown, having proven its key in this very handshake; undefined where it has shown
   * none, and where the connection was resumed, which proves no key (security 2).
   */
  readonly certificate?: (() => ShownCertificate) | undefined;
}

/** One connection as core sees it: who is there, and a bounded way to write to it. */
export interface Peer {
  /** Unique in this process; login exchanges are bound to it. */
  readonly id: number;
  readonly door: DoorName;
  /** The peer's IP address in canonical text. */
  readonly address: string;
  readonly channel: Channel;
  /** How events are spelled for this peer; undefined for one that cannot be pushed to (HTTP). */
  readonly events: EventCodec | undefined;
  /** Set by a login on this connection. */
  session: Session | undefined;
  /** Queues whole encoded events; all of one turn leave in one write. Dropped silently once the peer is gone. */
  push(bytes: Uint8Array): void;
  /** Bytes waiting to be written. */
  readonly queuedBytes: number;
  /** Resolves when the queue has emptied or the peer is gone. */
  drained(): Promise<void>;
  /**
   * Resolves with true when what was pushed before now has left for the peer, be it while the connection closes; with false
   * when the peer went before that.
   */
  taken(): Promise<boolean>;
  readonly isGone: boolean;
  /** Says why in the door's language, writes what is queued and closes. */
  end(reason: EndReason): void;
  /** Runs once when the connection is gone; at once if it already is. */
  onGone(listener: () => void): void;
}
