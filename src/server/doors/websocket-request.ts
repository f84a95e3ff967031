import type { IncomingMessage } from 'node:http';
import { ChatError } from '../../core/errors.ts';
import { isAllowedOrigin } from './origin.ts';

/** The one path that is upgraded (five-systems, section 2). */
export const websocketPath = '/ws';

/** Why a request is not upgraded: the status goes before that of the error's code, and the headers belong to it. */
export interface RefusedUpgrade {
  readonly status: number;
  readonly error: ChatError;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What the look at a request goes by. */
export interface UpgradeRules {
  readonly isSecure: boolean;
  /** Origins of pages that may connect besides this server's own, as `parseOrigin` spells them. */
  readonly allowedOrigins: readonly string[];
}

/** Looks at a request for an upgrade (RFC 6455 section 4.2.1); undefined when it may shake hands. */
export function refuseUpgrade(
  request: IncomingMessage,
  { isSecure, allowedOrigins }: UpgradeRules,
): RefusedUpgrade | undefined {
  const { method, url = '', headers } = request;
  const [path = '', query = ''] = split(url);
  if (path !== websocketPath) {
    return refused(404, 'not-found', `there is no WebSocket at this path: connect to ${websocketPath}`);
  }
  if (method !== 'GET') return refused(405, 'unsupported', 'a WebSocket begins with GET', { Allow: 'GET' });
  const parameter = secretIn(query);
  if (parameter !== undefined) {
    return refused(
      400,
      'invalid',
      `${parameter}: a token does not belong in a URL, where others read it: send it in the first message`,
    );
  }
  // A cookie never logs in here; a page elsewhere could still use what its reader's browser can reach.
  if (!isAllowedOrigin({ origin: headers.origin, host: headers.host, isSecure }, allowedOrigins)) {
    return refused(
      403,
      'forbidden',
      'pages of this origin may not connect: the server has to be told of it with --allow-origin',
    );
  }
  if (headers.upgrade?.toLowerCase() !== 'websocket') {
    return refused(400, 'invalid', 'Upgrade: must be websocket');
  }
  if (headers['sec-websocket-version'] !== '13') {
    return refused(426, 'unsupported', 'Sec-WebSocket-Version: must be 13', {
      'Sec-WebSocket-Version': '13',
      Upgrade: 'websocket',
    });
  }
  const key = headers['sec-websocket-key'];
  if (key === undefined || !/^[+/0-9A-Za-z]{22}==$/.test(key)) {
    return refused(400, 'invalid', 'Sec-WebSocket-Key: must be 16 bytes in base64');
  }
  return undefined;
}

function refused(
  status: number,
  code: ChatError['code'],
  message: string,
  headers: Readonly<Record<string, string>> = {},
): RefusedUpgrade {
  return { status, error: new ChatError(code, message), headers };
}

function split(url: string): [string, string] {
  const mark = url.indexOf('?');
  return mark < 0 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)];
}

const secretNames = /token|password|passwd|secret|authorization|^auth$|^sid$|^session$/i;
const secretValues = /^c[sr]1_/;

/** The parameter of a URL that is, or by its name would be, a secret (ASVS 14.2.1). */
function secretIn(query: string): string | undefined {
  for (const [name, value] of new URLSearchParams(query)) {
    if (secretNames.test(name)) return shownName(name);
    if (secretValues.test(value)) return shownName(name);
    if (secretValues.test(name)) return 'the query';
  }
  return undefined;
}

/** A stranger's name of a parameter, if it is one that can be repeated. */
function shownName(name: string): string {
  return /^[\w.-]{1,32}$/.test(name) && !secretValues.test(name) ? name : 'the query';
}
