import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { bind } from '../bind.ts';
import { rarely } from '../rarely.ts';
import { watchTaking } from '../taking-watch.ts';
import type { ServerFigures } from './figures.ts';
import { createExposition } from './prometheus.ts';

/** What the listener for metrics is made of. */
export interface MetricsServerOptions {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  read(): Promise<ServerFigures>;
  /** Resolves when calls can be served; rejects otherwise. */
  ready(): Promise<void>;
  isDraining(): boolean;
  /** Takes exceptions that are nobody's answer. */
  onFailure(error: unknown): void;
}

/** An open listener for metrics. */
export interface MetricsServer {
  readonly address: string;
  readonly port: number;
  close(): void;
}

/** Whoever asks here is a scraper or a probe, a few at a time. */
const maxConnections = 32;
/** For a request to come, and for a client that takes nothing of its answer, in milliseconds. */
const requestMs = 5_000;
/** A store that has not answered by then is not ready, in milliseconds. */
const readyMs = 2_000;

const plainText = 'text/plain; charset=utf-8';

/**
 * Opens the listener for metrics: `GET /metrics`, `/healthz` (the process answers) and `/readyz` (calls can be served), and nothing else.
 * It asks for no login: where it listens is the operator's choice. Throws what {@link bind} throws.
 */
export async function serveMetrics(options: MetricsServerOptions): Promise<MetricsServer> {
  const exposition = createExposition();

  async function answerTo(path: string, accept: string): Promise<Answer | undefined> {
    switch (path) {
      case '/healthz':
        return { status: 200, type: plainText, body: 'alive\n' };
      case '/readyz':
        return await readiness(options);
      case '/metrics': {
        const { type, body } = await exposition.spell(await options.read(), accept);
        return { status: 200, type, body };
      }
    }
    return undefined;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    const path = url.split('?', 1)[0] ?? '';
    if (!known.has(path)) return send(response, { status: 404, type: plainText, body: notFound });
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      return send(response, { status: 405, type: plainText, body: 'only GET is answered here\n' });
    }
    const answer = await answerTo(path, headers.accept ?? '');
    if (answer) send(response, answer);
  }

  /** Connections that have come with their request. */
  const asking = new WeakSet<Socket>();
  const server = createServer(
    {
      headersTimeout: requestMs,
      requestTimeout: requestMs,
      maxHeaderSize: 8_192,
      // How often Node looks whether a time is over: by itself each half a minute.
      connectionsCheckingInterval: 1_000,
    },
    (request, response) => {
      const { socket } = request;
      // One request a connection: whoever asks on before it has its answer may not mean to read any.
      if (asking.has(socket)) {
        socket.destroy();
        return;
      }
      asking.add(socket);
      // A body is none of ours.
      request.resume();
      serve(request, response).catch((error: unknown) => {
        options.onFailure(error);
        if (!response.headersSent) send(response, { status: 500, type: plainText, body: 'see the log\n' });
      });
    },
  );
  server.maxConnections = maxConnections;
  await bind(server, options);
  const { address, port } = server.address() as AddressInfo;
  // Out of file descriptors, say: the next try may go through.
  server.on('error', rarely(options.onFailure));
  return {
    address,
    port,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const known: ReadonlySet<string> = new Set(['/metrics', '/healthz', '/readyz']);
const notFound = 'there is /metrics, /healthz and /readyz\n';

async function readiness({ ready, isDraining }: MetricsServerOptions): Promise<Answer> {
  const not = (why: string): Answer => ({ status: 503, type: plainText, body: `${why}\n` });
  if (isDraining()) return not('not ready: the server is shutting down');
  const late = Promise.withResolvers<Answer>();
  const timer = setTimeout(() => late.resolve(not('not ready: the store does not answer')), readyMs);
  try {
    return await Promise.race([
      ready().then(
        () => ({ status: 200, type: plainText, body: 'ready\n' }),
        () => not('not ready: the store cannot serve now'),
      ),
      late.promise,
    ]);
  } finally {
    clearTimeout(timer);
  }
}

function send(response: ServerResponse, { status, type, body }: Answer): void {
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    Connection: 'close',
  });
  response.end(body);
  if (response.socket) watchTaking(response.socket, requestMs).begin();
}
