import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { formPages } from '../../core/codecs/http-form.ts';
import { httpRoutes } from '../../core/codecs/http-json.ts';
import { type HttpRoute, pathFields, readHttp, refuseSecretsInQuery } from '../../core/codecs/http-route.ts';
import { openApi, operationOf } from '../../core/codecs/openapi.ts';
import { problem, problemHeaders } from '../../core/codecs/problem.ts';
import { ChatError } from '../../core/errors.ts';
import type { DoorName } from '../../core/model/session.ts';
import type { Channel } from '../../core/peer.ts';
import { requireApiSession } from './api-session.ts';
import { boundPieces } from './body-pieces.ts';
import { cookieDoor } from './cookie-door.ts';
import type { Door, DoorParts } from './door.ts';
import { type Exchange, type HeldRequests, HttpConnection } from './http-connection.ts';
import { securityHeaders, strictTransport } from './http-headers.ts';
import { HttpPeer } from './http-peer.ts';
import { httpServer, versionText } from './http-server.ts';
import { httpRefusal, tooManyPieces } from './refusals.ts';
import { methodRefused, methodUnknown, nothingHere, StatusError } from './status-error.ts';
import { openWebSocketDoor } from './websocket-door.ts';
import { websocketPath } from './websocket-request.ts';

/** The door of HTTP, built once for all of its connections. */
export interface HttpDoor {
  readonly open: Door;
  /** Stops the server's clocks; connections are the listener's to end. */
  close(): void;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; there from the first hook on. */
    peer: HttpPeer;
  }
  interface FastifyContextConfig {
    /** What the session list calls the door of this route; `http` when left out. */
    door?: DoorName;
  }
}

/** What a resource may be asked with; the ones it does not have are answered with those that it has. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const;

function isKnown(method: string): boolean {
  return methods.some((known) => known === method);
}

/** Builds the HTTP API (five-systems, section 2) on sockets that the listener hands over. */
export async function httpDoor(parts: DoorParts): Promise<HttpDoor> {
  const { limits, onFailure } = parts;
  const connections = new WeakMap<object, HttpConnection>();
  /** What is known of a request before Fastify sees it. */
  const arrivals = new WeakMap<IncomingMessage, { exchange: Exchange; refusal: ChatError | undefined }>();
  const held: HeldRequests = { bytes: 0 };
  let server: Server | undefined;

  function refuse(socket: Duplex, lastWords: Uint8Array): void {
    const connection = connections.get(socket);
    if (connection) connection.refuse(lastWords).catch(onFailure);
    else dropStranger(socket);
  }

  /** Of whom a request is: each one of a connection may be somebody else's, when a proxy made it. */
  function addressOf({ arrival }: HttpConnection, { headers }: IncomingMessage): string {
    const forwarded = headers['x-forwarded-for'];
    return parts.proxies.clientOf(arrival.address, Array.isArray(forwarded) ? forwarded.join() : forwarded);
  }

  /** A proxy's certificate is no visitor's: what it has asked for may be anybody's. */
  function channelOf({ arrival }: HttpConnection): Channel {
    const { channel, address } = arrival;
    return parts.proxies.has(address) ? { ...channel, certificate: undefined } : channel;
  }

  const app = fastify({
    serverFactory: (handler) => {
      server = httpServer({
        limits,
        onRequest: (request, response) => {
          const connection = connections.get(request.socket);
          if (!connection) throw new Error('a request came through no connection of ours');
          const { id } = connection.arrival;
          const address = addressOf(connection, request);
          const peer = new HttpPeer({ id, door: 'http', address, channel: channelOf(connection) });
          const exchange = { request, response, peer };
          boundPieces(request, () => {
            const { socket } = request;
            refuse(socket, httpRefusal(tooManyPieces(), { isSecure: socket instanceof TLSSocket }));
          });
          connection.take(exchange, (refusal) => {
            arrivals.set(request, { exchange, refusal });
            handler(request, response);
          });
        },
        onUnreadable: (socket, error, status) => {
          refuse(socket, httpRefusal(error, { status, isSecure: socket instanceof TLSSocket }));
        },
        onUpgrade: (request, socket, head) => {
          const connection = connections.get(socket);
          if (!connection) return dropStranger(socket);
          connection
            .handOver(() => {
              const address = addressOf(connection, request);
              const arrival = { ...connection.arrival, address, channel: channelOf(connection) };
              return openWebSocketDoor({ arrival, request, head }, parts);
            })
            .catch((error: unknown) => {
              onFailure(error);
              socket.destroy();
            });
        },
      });
      return server;
    },
    // The server's own listener for unreadable requests has answered.
    clientErrorHandler: () => {},
    bodyLimit: limits.maxLineBytes === 0 ? Number.MAX_SAFE_INTEGER : limits.maxLineBytes,
    routerOptions: { maxParamLength: 256, ignoreTrailingSlash: false },
    // Fastify's own limits of time are the server's.
    connectionTimeout: 0,
    frameworkErrors: (error, request, reply) => {
      void sendError(request, reply, error);
    },
  });

  function sendError(request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply {
    const { error, status } = spelled(thrown, onFailure);
    const document = problem(error, status);
    return (
      secured(reply, request.raw)
        .code(document.status)
        .headers(problemHeaders(error, document.status))
        // With one of its own, Fastify adds no charset, which this media type does not have (RFC 9457 section 6.1).
        .serializer(JSON.stringify)
        .send(document)
    );
  }

  app.setErrorHandler<FastifyError | ChatError>((error, request, reply) => sendError(request, reply, error));
  app.setNotFoundHandler((request, reply) =>
    sendError(request, reply, isKnown(request.method) ? nothingHere() : methodUnknown(request.method)),
  );
  app.addHook('onRequest', async (request, reply) => {
    const arrival = arrivals.get(request.raw);
    if (!arrival) throw new Error('a request came past its connection');
    request.peer = arrival.exchange.peer;
    request.peer.door = request.routeOptions.config.door ?? 'http';
    secured(reply, request.raw);
    if (arrival.refusal) throw arrival.refusal;
    checkHead(request);
    // The server as a whole (RFC 9110 section 9.3.7).
    if (request.method === 'OPTIONS' && request.raw.url === '*') {
      return reply.code(204).header('Allow', methods.join(', ')).send();
    }
  });
  app.addHook('preParsing', async (request, reply, payload) => {
    // Only now: who was refused by its head alone need not send the rest. HTTP/1.0 has no such answer (RFC 9110 10.1.1).
    if (request.headers.expect !== undefined && request.raw.httpVersion === '1.1') reply.raw.writeContinue();
    return payload;
  });
  readJsonAlone(app);

  for (const route of httpRoutes) serve(app, route, parts);
  const description = { made: undefined as string | undefined };
  app.get('/openapi.json', async (_request, reply) => {
    description.made ??= JSON.stringify(openApi(httpRoutes, parts.version));
    return reply.type('application/json').send(description.made);
  });
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async () => {
    await parts.calls.ready();
    return { status: 'ready' };
  });
  app.get(websocketPath, async (_request, reply) => {
    reply.headers({ Upgrade: 'websocket', Connection: 'Upgrade' });
    throw new StatusError(
      426,
      new ChatError('unsupported', 'there is a WebSocket here: ask with Upgrade and no body'),
    );
  });
  refuseOtherMethods(app);
  app.register(cookieDoor, { pages: parts.pages ?? formPages(), calls: parts.calls });
  await app.ready();

  return {
    open(arrival) {
      const { socket, bytes } = arrival;
      const connection = new HttpConnection(arrival, limits, held);
      connections.set(socket, connection);
      socket.unshift(bytes);
      server?.emit('connection', socket);
      socket.resume();
      return connection;
    },
    close() {
      server?.close();
    },
  };
}

/**
 * Takes bodies as JSON in UTF-8 (RFC 8259 section 8.1) and as nothing else; an empty one is none. One that cannot be read is
 * refused a step later: it has been heard out, and Fastify would close the connection.
 */
function readJsonAlone(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (_request, bytes, done) => {
    done(null, bytes.length === 0 ? undefined : parsed(bytes));
  });
  app.addHook('preValidation', async ({ body }) => {
    if (body instanceof ChatError) throw body;
  });
}

function parsed(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) return new ChatError('invalid', 'the body is not UTF-8');
  try {
    // `__proto__` stays a field like any other, and is refused as one that nobody knows.
    return JSON.parse(bytes.toString());
  } catch {
    return new ChatError('invalid', 'the body is not JSON');
  }
}

/** Ends a stream that Node has put in the place of a socket of ours: nobody listens to it, and its errors are nobody's. */
function dropStranger(stream: Duplex): void {
  stream.on('error', () => {});
  stream.destroy();
}

/** Serves one entry of the API. */
function serve(app: FastifyInstance, route: HttpRoute, { calls }: DoorParts): void {
  const needsSession = operationOf(route).access !== 'anyone';
  app.route<{ Params: Record<string, string>; Querystring: Record<string, unknown> }>({
    method: route.method,
    url: urlOf(route.path),
    // Before the body is read: who may not ask need not be listened to.
    onRequest: async ({ method, headers, peer, raw }) => {
      if (!needsSession) return;
      await requireApiSession(calls, { method, headers, peer, isSecure: raw.socket instanceof TLSSocket });
    },
    handler: async ({ params, query, headers, body, peer }, reply) => {
      const input = readHttp(route, { path: params, query, headers, body });
      const result = await calls.call(peer, route.operation, input);
      reply.code(route.status);
      if (route.status === 204) return reply.send();
      return reply.send(route.answer ? route.answer(result as never) : result);
    },
  });
}

/** `/api/rooms/{room}` as the router spells it. */
function urlOf(path: string): string {
  return pathFields(path).reduce((url, name) => url.replace(`{${name}}`, `:${name}`), path);
}

/** RFC 9110 section 15.5.6: a method that a resource does not have is answered with those it has; OPTIONS only asks for them. */
function refuseOtherMethods(app: FastifyInstance): void {
  const served = new Map<string, Set<string>>();
  const urls = [...httpRoutes.map(({ method, path }) => [method, urlOf(path)] as const)];
  urls.push(['GET', '/openapi.json'], ['GET', '/healthz'], ['GET', '/readyz'], ['GET', websocketPath]);
  for (const [method, url] of urls) {
    const known = served.get(url) ?? new Set();
    known.add(method);
    if (method === 'GET') known.add('HEAD');
    served.set(url, known);
  }
  for (const [url, known] of served) {
    const allowed = [...known, 'OPTIONS'].join(', ');
    app.route({
      method: methods.filter((method) => !known.has(method)),
      url,
      // Nothing of the body is wanted, whatever it is.
      onRequest: async ({ method }, reply) => {
        reply.header('Allow', allowed);
        if (method === 'OPTIONS') return reply.code(204).send();
        throw methodRefused(method, allowed);
      },
      handler: async () => undefined,
    });
  }
}

/** What a throw is as an answer: ours, Fastify's own, or a bug that is logged. */
function spelled(thrown: unknown, onFailure: DoorParts['onFailure']): { error: ChatError; status?: number } {
  if (thrown instanceof ChatError) return { error: thrown };
  if (thrown instanceof StatusError) return thrown;
  const { code, statusCode } = thrown as Partial<FastifyError>;
  switch (code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return {
        error: new ChatError('unsupported', 'the body is JSON: send it with Content-Type: application/json'),
        status: 415,
      };
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return { error: new ChatError('too-large', 'the body is too long') };
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return { error: new ChatError('invalid', 'the path is not well-formed') };
  }
  if (statusCode === 400) return { error: new ChatError('invalid', 'the body is not whole') };
  const errorId = onFailure(thrown);
  return {
    error: new ChatError('internal', `something went wrong on the server (${errorId})`, { errorId }),
  };
}

/** Puts the headers on an answer that belong on every one. */
function secured(reply: FastifyReply, { socket }: IncomingMessage): FastifyReply {
  return reply.headers(
    socket instanceof TLSSocket ? { ...securityHeaders, ...strictTransport } : securityHeaders,
  );
}

/** Headers that say one thing; Node would drop the second one, or join both. */
const givenOnce: readonly string[] = [
  'host',
  'authorization',
  'content-type',
  'expect',
  'origin',
  'sec-fetch-site',
  'x-csrf-token',
  ...httpRoutes.flatMap(({ headers }) => Object.keys(headers ?? {})),
];

/** Header fields of one request at most: browsers and proxies send a quarter of it. */
const maxHeaderFields = 100;

/** What is wrong with a request whatever it asks for. */
function checkHead({ raw, query, headers }: FastifyRequest): void {
  // Node reads 0.9 and 2.0 too, and would answer them in 1.1.
  if (raw.httpVersionMajor !== 1) throw new StatusError(505, new ChatError('invalid', versionText));
  const names = raw.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  if (names.length > maxHeaderFields) {
    const text = `a request has at most ${maxHeaderFields} header fields`;
    throw new StatusError(431, new ChatError('too-large', text));
  }
  const twice = givenOnce.find((name) => names.indexOf(name) !== names.lastIndexOf(name));
  if (twice !== undefined) throw new ChatError('invalid', `${twice}: give this header once`);
  // RFC 9112 section 3.2.
  if (headers.host === undefined && raw.httpVersion === '1.1') {
    throw new ChatError('invalid', 'a request has a Host header');
  }
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue') {
    throw new StatusError(417, new ChatError('invalid', 'Expect: only 100-continue is known'));
  }
  refuseSecretsInQuery(query as Record<string, unknown>);
}
