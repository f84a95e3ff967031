import type { IncomingMessage, Server } from 'node:http';
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
import { requireApiSession } from './api-session.ts';
import { cookieDoor } from './cookie-door.ts';
import type { Door, DoorParts } from './door.ts';
import { HttpConnection } from './http-connection.ts';
import { securityHeaders, strictTransport } from './http-headers.ts';
import { HttpPeer } from './http-peer.ts';
import { httpServer } from './http-server.ts';
import { httpRefusal, shuttingDown } from './refusals.ts';
import { methodRefused, nothingHere, StatusError } from './status-error.ts';
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

/** Builds the HTTP API (five-systems, section 2) on sockets that the listener hands over. */
export async function httpDoor(parts: DoorParts): Promise<HttpDoor> {
  const { limits, onFailure } = parts;
  const connections = new WeakMap<object, HttpConnection>();
  let server: Server | undefined;

  const app = fastify({
    serverFactory: (handler) => {
      server = httpServer(handler, {
        limits,
        onUnreadable: (socket, error, status) => {
          connections.get(socket)?.refuse(httpRefusal(error, status)).catch(onFailure);
        },
        onUpgrade: (request, socket, head) => {
          const connection = connections.get(socket);
          connection
            ?.handOver(() => openWebSocketDoor({ arrival: connection.arrival, request, head }, parts))
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
    return secured(reply, request.raw)
      .code(document.status)
      .headers(problemHeaders(error, document.status))
      .send(document);
  }

  app.setErrorHandler<FastifyError | ChatError>((error, request, reply) => sendError(request, reply, error));
  app.setNotFoundHandler((request, reply) => sendError(request, reply, nothingHere()));
  app.addHook('onRequest', async (request, reply) => {
    const connection = connections.get(request.raw.socket);
    if (!connection) throw new Error('a request came through no connection of ours');
    const { id, address, channel } = connection.arrival;
    request.peer = new HttpPeer({ id, door: request.routeOptions.config.door ?? 'http', address, channel });
    secured(reply, request.raw);
    const isTooMany = limits.maxPipelined !== 0 && connection.underWay >= limits.maxPipelined;
    if (!connection.begin({ request: request.raw, response: reply.raw, peer: request.peer })) {
      throw shuttingDown();
    }
    if (isTooMany) {
      throw new ChatError('rate-limited', 'too many requests of this connection are under way', {
        retryAfterMs: 1_000,
      });
    }
    checkHead(request);
  });

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
    throw new StatusError(426, new ChatError('unsupported', 'there is a WebSocket here: ask with Upgrade'));
  });
  refuseOtherMethods(app);
  app.register(cookieDoor, { pages: parts.pages ?? formPages(), calls: parts.calls });
  await app.ready();

  return {
    open(arrival) {
      const { socket, bytes } = arrival;
      const connection = new HttpConnection(arrival);
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
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return { error: new ChatError('invalid', 'the body is empty: a JSON object is expected') };
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return { error: new ChatError('invalid', 'the path is not well-formed') };
  }
  if (statusCode === 400) return { error: new ChatError('invalid', 'the body is not JSON') };
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

/** What is wrong with a request whatever it asks for. */
function checkHead({ raw, query, headers }: FastifyRequest): void {
  const hosts = raw.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
  // RFC 9112 section 3.2.
  if (hosts.length > 1 || (hosts.length === 0 && raw.httpVersion === '1.1')) {
    throw new ChatError('invalid', 'a request has one Host header');
  }
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue') {
    throw new StatusError(417, new ChatError('invalid', 'Expect: only 100-continue is known'));
  }
  refuseSecretsInQuery(query as Record<string, unknown>);
}
