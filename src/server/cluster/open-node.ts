import { ChatError } from '../../core/errors.ts';
import type { ServerSettings } from '../../core/ports/store/settings.ts';
import { randomBytes } from '../../core/random.ts';
import type { Certificates } from '../certificates/certificates.ts';
import type { ClusterConfig } from '../config/server-config.ts';
import type { Log } from '../log.ts';
import { serverSettings } from '../server-settings.ts';
import { type PostgresStore, postgresStore } from '../store/postgres/store.ts';
import { readClusterSecret } from './cluster-secret.ts';
import { isPassing } from './is-passing.ts';
import { type JoinedNodes, joinNodes } from './join-nodes.ts';
import { sealUnder } from './seal.ts';
import { takeSharedKeys, withSharedAuthority } from './shared-keys.ts';

/** What a node is opened with. */
export interface OpenNodeOptions {
  readonly config: ClusterConfig;
  /** The data directory, which is locked. */
  readonly directory: string;
  readonly log: Log;
  /** Told once when other nodes have the database otherwise: the process must end. */
  readonly onFatal: (error: ChatError) => void;
  /** Gives up waiting for the database. */
  readonly signal?: AbortSignal | undefined;
}

/** A node of a server that has its database elsewhere, before it serves anybody. */
export interface OpenNode {
  /** What this run of this node is called: eight characters. */
  readonly id: string;
  readonly store: PostgresStore;
  readonly settings: ServerSettings;
  /** Has `open` open the certificates over the keys, and with the authority's certificate, that all nodes have. */
  certificates(open: () => Promise<Certificates>): Promise<Certificates>;
  /** Meets the other nodes; a bus that is down is met when it is up. */
  join(onFailure: (error: unknown) => void): Promise<JoinedNodes | undefined>;
  /** Lets the other nodes have the database, and leaves it. */
  close(): Promise<void>;
}

/** How long a database is waited for that cannot be reached at the start, in milliseconds: a machine's services start in any order. */
const awaitedMs = 30_000;
const againMs = 500;
/** How often it is said in the log. */
const saidMs = 5_000;
/** How often it is looked whether the database is there, for the log. */
const lookMs = 500;

/**
 * Opens the store, takes its hold as one of many nodes or as the only one, and brings the server's keys into the data directory. A database
 * that cannot be reached is waited for, 30 s at most. Throws `unavailable` or `invalid` that says what to do.
 */
export async function openNode(options: OpenNodeOptions): Promise<OpenNode> {
  const { config, directory, log, onFatal } = options;
  const secret = await readClusterSecret(config.secretFile);
  const id = Buffer.from(randomBytes(4)).toString('hex');
  const onWait = (): void =>
    log.warn('store-awaited', {
      why: 'another node brings the tables of the database up to date',
      note: 'it is waited for, an hour at most',
    });
  const { signal } = options;
  const store = await awaitDatabase(() => postgresStore({ url: config.store, onWait, signal }), options);
  const closers: Array<() => Promise<void>> = [() => store.close()];
  async function close(): Promise<void> {
    for (const one of closers.splice(0).reverse()) await one();
  }
  try {
    const hold = await store.holdNode({ as: config.bus === undefined ? 'sole' : 'shared', onLost: onFatal });
    closers.push(() => hold.letGo());
    const settings = await serverSettings(store);
    const shared = { directory, store, seal: sealUnder(secret, settings.realm) };
    const taken = await takeSharedKeys(shared);
    closers.push(sayWhetherUp(store, log));
    let isFirst = true;
    return {
      id,
      store,
      settings,
      async certificates(open) {
        const read = await withSharedAuthority(shared, open);
        if (!isFirst) return read;
        isFirst = false;
        return { ...read, isAuthorityNew: taken.isAuthorityNew, notes: [...taken.notes, ...read.notes] };
      },
      async join(onFailure) {
        const { bus } = config;
        if (bus === undefined) return undefined;
        return await joinNodes({ url: bus, secret, realm: settings.realm, id, store, log, onFailure });
      },
      close,
    };
  } catch (error) {
    await close().catch(() => {});
    throw error;
  }
}

async function awaitDatabase(
  open: () => Promise<PostgresStore>,
  { log, signal }: OpenNodeOptions,
): Promise<PostgresStore> {
  const until = Date.now() + awaitedMs;
  let saidAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof ChatError) || !isPassing(error) || Date.now() >= until) throw error;
      if (Date.now() - saidAt >= saidMs) {
        saidAt = Date.now();
        log.warn('store-awaited', {
          why: error.message,
          note: `the database is tried again for ${Math.ceil((until - Date.now()) / 1_000)} s`,
        });
      }
      await pause(againMs, signal);
      signal?.throwIfAborted();
    }
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
    if (signal?.aborted) end();
  });
}

/** Says in the log when the database was lost, and when it is there again; answers what ends that. */
function sayWhetherUp(store: PostgresStore, log: Log): () => Promise<void> {
  let wasUp = true;
  const timer = setInterval(() => {
    const isUp = store.figures().remote?.isUp !== false;
    if (isUp === wasUp) return;
    wasUp = isUp;
    if (isUp) log.info('store-back', { note: 'the database is there again' });
    else
      log.warn('store-lost', {
        note: 'the database cannot be reached: calls are answered unavailable until it can',
      });
  }, lookMs);
  timer.unref();
  return async () => clearInterval(timer);
}
