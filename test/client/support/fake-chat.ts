import type { Connection, WireMessage } from '../../../src/client/connection.ts';
import { resume } from '../../../src/client/resume.ts';
import { connectTo } from './connected.ts';
import {
  type FailureData,
  type LineServer,
  type Peer,
  type Request,
  startLineServer,
} from './line-server.ts';

type Params = Request['params'];
type Handler = (params: Params, request: Request, peer: Peer) => object | undefined;

/** What a fake server's fault makes of a call: serve it, leave it unanswered, or answer with an error. */
export type Fault = 'serve' | 'ignore' | FailureData;

/**
 * The least server that keeps messages: sends are idempotent by key, followers get what is stored and what comes.
 * A test breaks it where it wants by its hooks.
 */
export class FakeChat {
  readonly log = new Map<string, WireMessage[]>();
  readonly #keys = new Map<string, WireMessage>();
  readonly #followers: Array<{ peer: Peer; to: string; all: boolean }> = [];
  /** Every call that arrived, in order. */
  readonly calls: Request[] = [];
  server!: LineServer;
  /** Looked at before a call is served. */
  onCall: (request: Request, peer: Peer) => Fault = () => 'serve';
  /** Looked at after a call was served; `false` keeps its answer back. */
  afterCall: (request: Request, peer: Peer) => boolean = () => true;
  /** Writes a message to a follower: by default once. */
  deliver: (message: WireMessage, peer: Peer) => void = (message, peer) => peer.event('message', message);

  readonly #handlers: Readonly<Record<string, Handler>> = {
    'login.resume': () => ({
      user_id: 'u1',
      username: 'alice',
      session_id: 's1',
      expires_at: '2026-01-02T03:04:05.678Z',
      device_id: 'd1',
    }),
    'message.send': ({ to, text, key }) => {
      const { id, seq, sent_at } = this.store(String(to), String(text), String(key));
      return { id, seq, sent_at };
    },
    'message.history': ({ to, after = 0, limit = 100, newest = false }) => {
      const all = this.log.get(String(to)) ?? [];
      const found = all.filter(({ seq }) => seq > Number(after));
      const messages = newest ? found.slice(-Number(limit)) : found.slice(0, Number(limit));
      return { to, messages, last_seq: all.length };
    },
    'conversation.follow': (params, request, peer) => this.#follow(params, request, peer),
    'conversation.unfollow': () => ({}),
    ping: () => ({}),
  };

  /** Starts one on a free port, gone after the test. */
  static async start(): Promise<FakeChat> {
    const chat = new FakeChat();
    chat.server = await startLineServer({ onRequest: (request, peer) => chat.#onRequest(request, peer) });
    return chat;
  }

  /** What a command would hand in as `open`: a connection that is logged in. */
  readonly open = async (): Promise<Connection> => {
    const connection = await connectTo(this.server);
    await resume(connection, 'cs1_token');
    return connection;
  };

  /** Stores a message and hands it to the followers; the same key is stored once. */
  store(to: string, text: string, key?: string): WireMessage {
    const known = key === undefined ? undefined : this.#keys.get(key);
    if (known) return known;
    const log = this.log.get(to) ?? [];
    this.log.set(to, log);
    const seq = log.length + 1;
    const message = { to, seq, id: `id-${to.slice(1)}-${seq}`, sender: 'bob', sent_at: instantOf(seq), text };
    log.push(message);
    if (key !== undefined) this.#keys.set(key, message);
    for (const follower of this.#followers) {
      if (follower.all || follower.to === to) this.deliver(message, follower.peer);
    }
    return message;
  }

  /** The texts stored in a conversation, in order. */
  texts(to: string): string[] {
    return (this.log.get(to) ?? []).map(({ text = '' }) => text);
  }

  /** Calls of one method that arrived. */
  params(method: string): Params[] {
    return this.calls.filter((call) => call.method === method).map(({ params }) => params);
  }

  #onRequest(request: Request, peer: Peer): void {
    this.calls.push(request);
    const fault = this.onCall(request, peer);
    if (fault === 'ignore') return;
    if (fault !== 'serve') {
      peer.failure(request, fault);
      return;
    }
    const result = this.#handlers[request.method]?.(request.params, request, peer);
    if (result && this.afterCall(request, peer)) peer.result(request, result);
  }

  #follow(params: Params, request: Request, peer: Peer): undefined {
    const names = params.to === undefined ? [...this.log.keys()] : [String(params.to)];
    const cursors = (params.cursors ?? {}) as Record<string, number>;
    const following = names.map((to) => ({ to, after: cursors[to] ?? this.#startOf(to, params) }));
    if (!this.afterCall(request, peer)) return;
    peer.result(request, { following, at: '2026-01-02T12:00:00.000Z' });
    for (const { to, after } of following) {
      for (const message of this.log.get(to) ?? []) if (message.seq > after) this.deliver(message, peer);
    }
    const follower = { peer, to: String(params.to), all: params.to === undefined };
    this.#followers.push(follower);
    void peer.closed.then(() => this.#followers.splice(this.#followers.indexOf(follower), 1));
  }

  #startOf(to: string, { after, after_id, since, last }: Params): number {
    const log = this.log.get(to) ?? [];
    if (after !== undefined) return Number(after);
    if (last !== undefined) return Math.max(0, log.length - Number(last));
    if (after_id !== undefined) return log.find(({ id }) => id === after_id)?.seq ?? 0;
    if (since !== undefined) return log.filter(({ sent_at }) => sent_at < String(since)).length;
    return log.length;
  }
}

/** When the message of this seq was sent: one second each. */
export function instantOf(seq: number): string {
  return new Date(Date.UTC(2026, 0, 2) + seq * 1_000).toISOString();
}
