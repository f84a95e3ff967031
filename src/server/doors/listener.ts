import { createServer, type Socket } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { ChatError } from '../../core/errors.ts';
import type { EndReason } from '../../core/events.ts';
import { isLoopback } from '../../core/model/address.ts';
import type { Channel } from '../../core/peer.ts';
import { bind } from '../bind.ts';
import type { ServerIdentity } from '../certificates/certificates.ts';
import { lingerAndClose } from '../linger.ts';
import { rarely } from '../rarely.ts';
import { createAdmission } from './admission.ts';
import type { DoorParts, OpenDoor } from './door.ts';
import { openDoors } from './doors.ts';
import { type FirstArrival, readFirstBytes } from './first-arrival.ts';
import { createHandshakes } from './handshakes.ts';
import { readProxyHeader } from './proxy-header.ts';
import { clearTextRefused, refusal, tooManyConnections } from './refusals.ts';
import { secureChannel, tlsDoor } from './tls.ts';
import { createTraffic, type TrafficFigures } from './traffic.ts';
import type { TrustedProxies } from './trusted-proxies.ts';

/** Where and how to listen. */
export interface ListenerOptions extends DoorParts {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly identity: ServerIdentity;
  /** `loopback`: clear text is served when the address that is listened on is this machine's own. */
  readonly clearText: 'never' | 'loopback' | 'everywhere';
  /** Each connection of a trusted proxy begins with the header of the PROXY protocol, and counts as that client's; no `X-Forwarded-For` is believed then. */
  readonly readsProxyHeader: boolean;
  /** Done when the port is ours, before anybody is served: who connects meanwhile waits. */
  readonly beforeServing?: (port: number) => Promise<void>;
}

/** One open port and every connection that came through it. */
export interface Listener {
  /** What is really listened on. */
  readonly address: string;
  readonly port: number;
  readonly servesClearText: boolean;
  /** Shows another certificate and has another key from now on; what is open stays as it is. */
  replaceIdentity(identity: ServerIdentity): void;
  /** Open sockets, those being refused too. */
  readonly connections: number;
  /** What has come through it so far, and what is open. */
  figures(): TrafficFigures;
  /**
   * Stops accepting, lets calls under way be answered, ends every connection with `reason` and resolves when all
   * have closed, or have been destroyed because `graceMs` were over.
   */
  drain(reason: EndReason, graceMs: number): Promise<void>;
  /** Closes everything at once. */
  destroy(): void;
}

/** A connection in front of the doors. */
interface Visitor {
  /** The TCP socket. */
  readonly accepted: Socket;
  /** What the door speaks over: the same, or TLS over it. */
  readonly socket: Socket;
  readonly address: string;
  readonly channel: Channel;
}

/** Refused connections that may wait for their first bytes at a time; beyond it they are closed without a word. */
const maxTurnedAway = 256;
/** … and how long each may wait, in milliseconds. */
const turnedAwayMs = 1_000;
/** How long a balancer has for its header, in milliseconds: it sends it before it waits for anything. */
const proxyHeaderMs = 5_000;

/** Opens the port; throws `unavailable` when it is taken or the host is unknown or not this machine's, and what `beforeServing` throws. */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const { limits, onFailure } = options;
  let { identity } = options;
  const traffic = createTraffic();
  const admission = createAdmission(limits, options.proxies);
  const tls = tlsDoor(identity);
  const handshakes = createHandshakes(tls, options.proxies);
  const parts = options.readsProxyHeader ? { ...options, proxies: speechless(options.proxies) } : options;
  const doors = await openDoors(parts);
  const sockets = new Set<Socket>();
  /** Accepted sockets that have not chosen a door yet. */
  const undecided = new Set<Socket>();
  const open = new Map<Socket, OpenDoor>();
  let servesClearText = false;
  let isDraining = false;
  let turnedAway = 0;
  let lastId = 0;
  let onLastClosed: (() => void) | undefined;

  // Half-open, so that `printf … | nc` gets its answers after it has ended its side.
  const server = createServer({
    allowHalfOpen: true,
    noDelay: true,
    // TCP asks for the doors without pings; where there are some, they come first.
    keepAlive: limits.pingMs > 0,
    keepAliveInitialDelay: 2 * limits.pingMs,
  });
  /** Who came before anybody is served. */
  const early: Socket[] = [];
  server.on('connection', hold);

  function hold(socket: Socket): void {
    socket.on('error', ignore);
    early.push(socket);
  }

  function serveEverybody(): void {
    server.off('connection', hold);
    server.on('connection', (socket) => guard(socket, () => accept(socket)));
    for (const socket of early) if (!socket.destroyed) guard(socket, () => accept(socket));
  }

  /** One connection's exception never ends the process (ASVS 16.5.4). */
  function guard(socket: Socket, action: () => void): void {
    try {
      action();
    } catch (error) {
      onFailure(error);
      socket.destroy();
    }
  }

  function accept(socket: Socket): void {
    socket.on('error', ignore);
    sockets.add(socket);
    undecided.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      undecided.delete(socket);
      traffic.closed(socket);
      if (sockets.size === 0) onLastClosed?.();
    });
    // A peer that has gone already has no address.
    if (socket.remoteAddress === undefined || isDraining) {
      socket.destroy();
      return;
    }
    const peer = canonical(socket.remoteAddress);
    if (!options.readsProxyHeader || !options.proxies.has(peer)) {
      admit(socket, peer);
      return;
    }
    // Until its header is read, a connection has a place as the balancer's.
    const place = admission.enter(peer);
    if (typeof place === 'string') {
      traffic.refused(place);
      turnAway(socket, tooManyConnections(place), 'after its header');
      return;
    }
    const leave = (): void => place.leave();
    socket.once('close', leave);
    readProxyHeader(socket, proxyHeaderMs, (header) =>
      guard(socket, () => {
        socket.off('close', leave);
        leave();
        if (header !== 'none') admit(socket, header.client ?? peer);
        else {
          traffic.refused('no-proxy-header');
          socket.destroy();
        }
      }),
    );
  }

  function admit(socket: Socket, address: string): void {
    const place = admission.enter(address);
    if (typeof place === 'string') {
      traffic.refused(place);
      turnAway(socket, tooManyConnections(place));
      return;
    }
    traffic.accepted();
    socket.once('close', () => place.leave());
    readFirstBytes(socket, limits, (first) => guard(socket, () => onFirstBytes(socket, address, first)));
  }

  function onFirstBytes(socket: Socket, address: string, first: FirstArrival): void {
    if (isDraining) socket.destroy();
    else if (first.kind === 'tls') startTls(socket, address, first.bytes);
    else if (servesClearText) {
      const channel: Channel = { serverKey: identity.spki };
      enter({ accepted: socket, socket, address, channel }, first);
    } else if (first.kind === 'silent') socket.destroy();
    else {
      traffic.refused('clear-text');
      refuse(socket, first, clearTextRefused());
    }
  }

  function startTls(socket: Socket, address: string, bytes: Buffer): void {
    if (limits.maxHandshakes !== 0 && handshakes.underWay >= limits.maxHandshakes) {
      traffic.refused('handshakes');
      lastWords(socket, refusal('tls', tooManyConnections('server')));
      return;
    }
    const { handshakeMs } = limits;
    // The one that this handshake shows, whatever comes meanwhile.
    const shown = identity;
    const timer = handshakeMs === 0 ? undefined : setTimeout(() => socket.destroy(), handshakeMs);
    socket.unshift(bytes);
    handshakes.shakeHands(socket, address, (secured) => {
      clearTimeout(timer);
      if (!secured) {
        traffic.handshakeFailed();
        return;
      }
      secured.on('error', ignore);
      readFirstBytes(secured, limits, (first) =>
        guard(secured, () => {
          if (isDraining) secured.destroy();
          else {
            const channel = secureChannel(secured, shown);
            enter({ accepted: socket, socket: secured, address, channel }, first);
          }
        }),
      );
    });
  }

  function enter(visitor: Visitor, first: FirstArrival): void {
    const { accepted, socket, address, channel } = visitor;
    undecided.delete(accepted);
    if (first.kind === 'silent') {
      socket.destroy();
      return;
    }
    if (first.kind === 'slow') {
      traffic.refused('slow');
      lastWords(socket, refusal('text', first.error));
      return;
    }
    lastId += 1;
    const door = doors.byKind[first.kind];
    const opened = door(
      { id: lastId, socket, bytes: first.bytes, hasEnded: first.hasEnded, address, channel },
      parts,
    );
    if (!opened || socket.destroyed) return;
    open.set(socket, opened);
    socket.once('close', () => open.delete(socket));
  }

  /** Waits a moment for the first bytes, so that even a refusal is in the language of its door. */
  function turnAway(socket: Socket, error: ChatError, when: 'now' | 'after its header' = 'now'): void {
    if (turnedAway >= maxTurnedAway) {
      socket.destroy();
      return;
    }
    turnedAway += 1;
    socket.once('close', () => {
      turnedAway -= 1;
    });
    const waits = {
      firstByteMs: turnedAwayMs,
      startedLineMs: turnedAwayMs,
      maxLineBytes: limits.maxLineBytes,
    };
    const answer = (): void => {
      readFirstBytes(socket, waits, (first) => guard(socket, () => refuse(socket, first, error)));
    };
    if (when === 'now') answer();
    else {
      readProxyHeader(socket, turnedAwayMs, (header) => {
        if (header === 'none') socket.destroy();
        else answer();
      });
    }
  }

  function refuse(socket: Socket, first: FirstArrival, error: ChatError): void {
    if (first.kind === 'silent') lastWords(socket, refusal('line', error));
    else if (first.kind === 'slow') lastWords(socket, refusal('text', error));
    else lastWords(socket, refusal(first.kind, error));
  }

  await bind(server, options).catch((error: unknown) => {
    doors.close();
    throw error;
  });
  // Out of file descriptors, say: every try to accept fails then.
  server.on('error', rarely(onFailure));
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('a TCP server has an address and a port');
  servesClearText =
    options.clearText === 'everywhere' || (options.clearText === 'loopback' && isLoopback(bound.address));

  try {
    await options.beforeServing?.(bound.port);
  } catch (error) {
    server.close();
    doors.close();
    for (const socket of early) socket.destroy();
    throw error;
  }
  serveEverybody();

  function allClosed(): Promise<void> {
    if (sockets.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      onLastClosed = resolve;
    });
  }

  function destroyAll(): void {
    for (const socket of sockets) socket.destroy();
  }

  return {
    address: bound.address,
    port: bound.port,
    servesClearText,
    replaceIdentity(next) {
      tls.replace(next);
      identity = next;
    },
    get connections() {
      return sockets.size;
    },
    figures: () => traffic.read(sockets, open),
    async drain(reason, graceMs) {
      isDraining = true;
      server.close();
      for (const socket of undecided) socket.destroy();
      const timer = setTimeout(destroyAll, graceMs);
      await Promise.all([...open.values()].map((door) => door.quiesce()));
      for (const door of open.values()) door.end(reason);
      await allClosed();
      clearTimeout(timer);
      doors.close();
    },
    destroy() {
      isDraining = true;
      server.close();
      doors.close();
      destroyAll();
    },
  };
}

/**
 * Proxies that nothing is believed of but the PROXY header: one that passes TCP on writes no `X-Forwarded-For`, so what stands there
 * is the client's own word, also where the header names nobody and the address is the balancer's.
 */
function speechless(proxies: TrustedProxies): TrustedProxies {
  return { has: proxies.has, clientOf: (peer) => peer };
}

function lastWords(socket: Socket, bytes: Uint8Array): void {
  socket.write(bytes);
  lingerAndClose(socket);
}

/** One spelling per address; IPv4 mapped into IPv6 is IPv4. */
function canonical(address: string): string {
  return ipaddr.isValid(address) ? ipaddr.process(address).toString() : address;
}

function ignore(): void {}
