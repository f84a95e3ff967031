import { isIP, type Socket } from 'node:net';
import ipaddr from 'ipaddr.js';
import { ByteBuffer } from '../byte-buffer.ts';

/** What a TCP balancer says of a connection before it passes on the first byte of it (the PROXY protocol, versions 1 and 2). */
export interface ProxyHeader {
  /** The client's address; undefined where the balancer speaks for itself, as its checks of health do. */
  readonly client: string | undefined;
  /** Bytes of the header. */
  readonly length: number;
}

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const greeting = Buffer.from('PROXY ');
/** The longest line of version 1 (section 2.1 of the protocol). */
const maxLine = 107;
/** Addresses and what balancers add to them in version 2; the protocol has room for 64 KiB, nobody uses it. */
const maxRest = 2_048;

/** Reads the header that some first bytes begin with; undefined while it is not whole yet, `none` for anything else. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | 'none' | undefined {
  if (startsAlike(bytes, signature)) return bytes.length < 16 ? undefined : parseBinary(bytes);
  if (!startsAlike(bytes, greeting)) return 'none';
  const end = bytes.subarray(0, maxLine).indexOf('\r\n');
  if (end >= 0) return parseLine(bytes.toString('latin1', 0, end));
  return bytes.length < maxLine ? undefined : 'none';
}

function startsAlike(bytes: Buffer, mark: Buffer): boolean {
  const length = Math.min(bytes.length, mark.length);
  return bytes.compare(mark, 0, length, 0, length) === 0;
}

function parseLine(line: string): ProxyHeader | 'none' {
  const length = line.length + 2;
  const [, kind = '', client = '', own = '', ...ports] = line.split(' ');
  if (kind === 'UNKNOWN') return { client: undefined, length };
  const version = kind === 'TCP4' ? 4 : kind === 'TCP6' ? 6 : 0;
  const isRight = [client, own].every((one) => isIP(one) === version && !one.includes('%'));
  if (version === 0 || !isRight || ports.length !== 2 || !ports.every((port) => /^\d{1,5}$/.test(port))) {
    return 'none';
  }
  return { client: canonical(client), length };
}

function parseBinary(bytes: Buffer): ProxyHeader | 'none' | undefined {
  const [versionAndCommand = 0, family = 0] = bytes.subarray(12, 14);
  const rest = bytes.readUInt16BE(14);
  if (versionAndCommand >> 4 !== 2 || rest > maxRest) return 'none';
  const length = 16 + rest;
  if (bytes.length < length) return undefined;
  const command = versionAndCommand & 0x0f;
  if (command === 0) return { client: undefined, length };
  const size = family === 0x11 ? 4 : family === 0x21 ? 16 : 0;
  // Without a client's address its limits would be everybody's.
  if (command !== 1 || size === 0 || rest < 2 * size + 4) return 'none';
  return { client: canonical(ipaddr.fromByteArray([...bytes.subarray(16, 16 + size)]).toString()), length };
}

function canonical(address: string): string {
  return ipaddr.process(address).toString();
}

/**
 * Reads the header from a new socket and calls `decided` once, with what follows it still to be read; `none` for a socket that began
 * with something else, ended, or was not done within `waitMs`. One that closes before is never heard of again.
 */
export function readProxyHeader(
  socket: Socket,
  waitMs: number,
  decided: (header: ProxyHeader | 'none') => void,
): void {
  const held = new ByteBuffer();
  const timer = setTimeout(() => settle('none'), waitMs);

  function onData(chunk: Buffer): void {
    held.append(chunk);
    const bytes = held.take();
    const header = parseProxyHeader(bytes);
    if (header === undefined) {
      held.append(bytes);
      return;
    }
    stop();
    socket.pause();
    if (header !== 'none' && bytes.length > header.length) socket.unshift(bytes.subarray(header.length));
    decided(header);
    socket.resume();
  }

  function onEnd(): void {
    settle('none');
  }

  function settle(header: 'none'): void {
    stop();
    decided(header);
  }

  function stop(): void {
    clearTimeout(timer);
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.off('close', stop);
  }

  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', stop);
}
