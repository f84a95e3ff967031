import type { IncomingMessage } from 'node:http';
import { refuseSecretsInQuery } from '../../core/codecs/http-route.ts';
import { ChatError } from '../../core/errors.ts';
import { isAllowedOrigin } from './origin.ts';

/** The one path that is upgraded (five-systems, section 2). */
export const websocketPath = '/ws';

/**
 * True for a request that asks for a WebSocket where there is one; others are served as if they did not ask. One with a body is
 * none (RFC 9110 section 7.8 lets a server wait for the body first; whoever sends one means something else).
 */
export function asksForWebSocket({ method, httpVersion, url = '', headers }: IncomingMessage): boolean {
  if (method !== 'GET' || httpVersion !== '1.1') return false;
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0)
    return false;
  return split(url)[0] === websocketPath && headers.upgrade?.toLowerCase() === 'websocket';
}

/** Why a request is not upgraded, with a status where it is not that of the error's code. */
export interface RefusedUpgrade {
  readonly error: ChatError;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What the look at a request goes by. */
export interface UpgradeRules {
  readonly isSecure: boolean;
  /** Origins of pages that may connect besides this server's own, as `parseOrigin` spells them. */
  readonly allowedOrigins: readonly string[];
}

/** Looks at a request that asks for a WebSocket (RFC 6455 section 4.2.1); undefined when it may shake hands. */
export function refuseUpgrade(
  { url = '', headers, rawHeaders }: IncomingMessage,
  { isSecure, allowedOrigins }: UpgradeRules,
): RefusedUpgrade | undefined {
  const query = new URLSearchParams(split(url)[1]);
  const given = Object.fromEntries([...query.keys()].map((name) => [name, query.getAll(name)]));
  try {
    refuseSecretsInQuery(given, 'in the first message');
  } catch (error) {
    if (error instanceof ChatError) return { error };
    throw error;
  }
  // Node keeps the first of several; the next one on the way may have gone by another (RFC 9112 section 3.2).
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
  if (hosts.length !== 1) return { error: new ChatError('invalid', 'a request has one Host header') };
  // A cookie never logs in here; yet a page from elsewhere has no business with what its reader's browser can reach.
  if (!isAllowedOrigin({ origin: headers.origin, host: headers.host, isSecure }, allowedOrigins)) {
    const text = 'pages of this origin may not connect: the server has to be told of it with --allow-origin';
    return { error: new ChatError('forbidden', text) };
  }
  if (headers['sec-websocket-version'] !== '13') {
    return {
      error: new ChatError('unsupported', 'Sec-WebSocket-Version: must be 13'),
      status: 426,
      headers: { Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' },
    };
  }
  const key = headers['sec-websocket-key'];
  if (key === undefined || !/^[+/0-9A-Za-z]{22}==$/.test(key)) {
    return { error: new ChatError('invalid', 'Sec-WebSocket-Key: must be 16 bytes in base64') };
  }
  return undefined;
}

function split(url: string): [string, string] {
  const mark = url.indexOf('?');
  return mark < 0 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)];
}
