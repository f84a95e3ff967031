import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ClientLibrary, lazyClientLibrary } from '../../../src/cli/client-library.ts';
import { ChatError } from '../../../src/core/errors.ts';
import { fakeClient, fakeServer } from './fake-client.ts';
import { type FakeHost, fakeHost, type Outcome, type Outside, runOn, testNow } from './fake-host.ts';
import { loggedIn } from './logged-in.ts';

/** A message as the scripted server has it. */
export interface StoredMessage {
  readonly to: string;
  readonly text: string;
  readonly key: string;
}

/** Alice, and a server that stores by key, which a test takes away or lets refuse. */
export interface OutboxWorld {
  readonly stateHome: string;
  /** What the server has, in order; a key that came again is not stored again. */
  readonly stored: StoredMessage[];
  /** Every key that came, in order. */
  readonly asked: string[];
  /** Thrown by every try to connect. */
  away: ChatError | undefined;
  /** Asked about each message before it is stored. */
  refuse: (message: StoredMessage) => ChatError | undefined;
  /** Called with each host that a command is run on. */
  onHost: (host: FakeHost) => void;
  /** Whose the session is by now. */
  username: string;
  run(argv: readonly string[], outside?: Outside): Promise<Outcome>;
  /** Keeps messages, one an entry, while the server is away. */
  keep(...texts: string[]): Promise<void>;
  /** All files below the outbox. */
  files(): Promise<string[]>;
}

/** What cannot be reached. */
export const gone = new ChatError('unavailable', 'no server');

/** The id of the `n`-th entry, from 0, since the clock of the tests stands still. */
export const idOf = (n: number): string => (testNow + n).toString(36);

/** The library, ended by the first failure that it would try again: no test waits. */
async function withoutPatience<
  Options extends Pick<Parameters<ClientLibrary['sendMany']>[0], 'onRetry' | 'signal'>,
  Answer,
>(options: Options, send: (options: Options) => Promise<Answer>): Promise<Answer> {
  const stop = new AbortController();
  let failure: ChatError | undefined;
  try {
    return await send({
      ...options,
      signal: AbortSignal.any([stop.signal, ...(options.signal ? [options.signal] : [])]),
      onRetry(cause: ChatError, waitMs: number) {
        failure ??= cause;
        options.onRetry?.(cause, waitMs);
        stop.abort();
      },
    });
  } catch (error) {
    throw failure ?? error;
  }
}

export async function outboxWorld(): Promise<OutboxWorld> {
  const { host } = await loggedIn();
  const stored: StoredMessage[] = [];
  const seqs = new Map<string, number>();
  const world: OutboxWorld = {
    stateHome: host.stateHome,
    stored,
    asked: [],
    away: undefined,
    refuse: () => undefined,
    onHost: () => {},
    username: 'alice',
    async run(argv, outside = {}) {
      const server = fakeServer({
        'message.send': (params) => {
          const message = { to: String(params.to), text: String(params.text), key: String(params.key) };
          world.asked.push(message.key);
          const refusal = world.refuse(message);
          if (refusal !== undefined) throw refusal;
          const seq = seqs.get(message.key) ?? stored.push(message);
          seqs.set(message.key, seq);
          return { id: `message-${seq}`, seq, sent_at: '2026-11-21T06:00:00.000Z' };
        },
      });
      server.alive.set('cs1_first', world.username);
      const client: Partial<ClientLibrary> = {
        ...fakeClient(server),
        sendMany: (options) => withoutPatience(options, lazyClientLibrary.sendMany),
        sendReliably: (options) => withoutPatience(options, lazyClientLibrary.sendReliably),
        async connect(options) {
          if (world.away !== undefined) throw world.away;
          return await server.connect(options);
        },
        ...outside.client,
      };
      const fresh = await fakeHost({ stateHome: host.stateHome, ...outside, client });
      world.onHost(fresh);
      return await runOn(fresh, ...argv);
    },
    async keep(...texts) {
      const before = world.away;
      world.away = gone;
      for (const text of texts) await world.run(['send', '--outbox', text]);
      world.away = before;
    },
    async files() {
      const names = await readdir(join(host.stateHome, 'chat', 'outbox'), {
        recursive: true,
        withFileTypes: true,
      });
      return names.filter((entry) => entry.isFile()).map(({ name }) => name);
    },
  };
  return world;
}
