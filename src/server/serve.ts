import type { ChatError } from '../core/errors.ts';
import { isLoopback } from '../core/model/address.ts';
import { openCertificates } from './certificates/certificates.ts';
import { keepCertificates } from './certificates/keep-certificates.ts';
import type { OpenNode, OpenNodeOptions } from './cluster/open-node.ts';
import type { ConfigSources } from './config/settle-setting.ts';
import { readConfig } from './config.ts';
import { type CrashSource, guardProcess } from './crash-guard.ts';
import { openDataDirectory } from './data-directory/data-directory.ts';
import { createLog } from './log.ts';
import { openFilesLimit, tooFewFiles } from './open-files.ts';
import { type OpenServer, openServer } from './running.ts';
import { serverSettings } from './server-settings.ts';
import type { ServerStore } from './store/server-store.ts';
import { sqliteStore } from './store/sqlite/store.ts';

/** Where a server's words go, line by line without their ends. */
export interface ServeOutput {
  /** Called once, when the server is ready: address, fingerprint and data directory, with a space between. */
  ready(line: string): void;
  /** Called first, with what makes the line of the log that says how many of its lines nobody took; undefined where the log has none such. */
  spelling?(lostLines: (count: number) => string | undefined): void;
  /** One line of the log; `isTalk` when nobody misses it who wants to hear of trouble and keep the audit trail alone. */
  log(line: string, isTalk: boolean): void;
  /** Called once while nobody administers the server: a line that says how to, with the code for it. It is a secret, and none of the log's. */
  claim(line: string): void;
}

/** What a test puts in the place of the process, of the disk and of the system's limits. */
export interface ServeSurroundings {
  readonly process: CrashSource;
  openStore(options: {
    readonly directory: string;
    readonly onFatal: (error: ChatError) => void;
  }): Promise<ServerStore>;
  /** How many files the process may have open, if anybody says. */
  readonly filesLimit?: () => number | undefined;
  /** Gives up a start that waits for a database on another machine. */
  readonly signal?: AbortSignal;
}

/** A server that was started. */
export interface RunningServer {
  readonly address: string;
  readonly port: number;
  /** Undefined where metrics are not served. */
  readonly metricsPort: number | undefined;
  /** `SHA256:…` of the server's identity key. */
  readonly fingerprint: string;
  /** Asks the server to end: the first time in order, the second time at once. With a delay before the end the second time only ends that. */
  stop(signal: 'SIGINT' | 'SIGTERM'): void;
  /**
   * SIGHUP: reads the certificates again, and shows them from then on; nothing that is open is dropped. Also the end of its terminal,
   * which changes nothing else.
   */
  hangUp(): void;
  /** The process's exit code, when the server has ended: 0 in order, 1 by a failure, 128 + signal at once. */
  readonly closed: Promise<number>;
}

/** What it means that accounts are older than the authority. */
const otherAuthority =
  'the authority for certificates of people was made anew (ttpkeys): whoever logs in with one of before is refused; to keep them, stop the ' +
  'server and bring ttpkeys from the data directory that this database comes from';

/** Exit codes of a server that ended otherwise than in order; a signal counts as shells count it. */
const exitCodes = { failed: 1, SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Starts a server: data directory and its lock, store, certificates, chat, port. Throws the `ChatError` of the first
 * that does not open, with everything before it closed again.
 */
export async function serve(
  sources: ConfigSources,
  out: ServeOutput,
  {
    process: crashSource = process,
    openStore = sqliteStore,
    filesLimit = openFilesLimit,
    signal,
  }: Partial<ServeSurroundings> = {},
): Promise<RunningServer> {
  const config = readConfig(sources);
  const spelling = { format: config.logFormat, level: config.logLevel } as const;
  const log = createLog(spelling, (line, isTalk) => out.log(line, isTalk));
  out.spelling?.((count) => {
    let line: string | undefined;
    createLog(spelling, (spelled) => {
      line = spelled;
    }).warn('log-lost', { count, note: 'the reader of the log did not take these lines' });
    return line;
  });
  const ended = Promise.withResolvers<number>();
  /** What was opened, in order; closed in reverse. */
  const closers: Array<() => Promise<void>> = [];
  let server: OpenServer | undefined;
  let isEnding = false;
  let exitCode = 0;
  let fatal: ChatError | undefined;
  /** Set while the server serves on though it was asked to end: begins the end. */
  let endDelay: (() => void) | undefined;

  /** Runs a part of the end; one that fails is told of, and keeps no other from being done. */
  async function attempt(part: () => Promise<void> | undefined): Promise<boolean> {
    try {
      await part();
      return true;
    } catch (error) {
      log.failure('end-failed', error, undefined, { note: 'the end failed' });
      return false;
    }
  }

  async function closeAll(): Promise<boolean> {
    let isInOrder = true;
    for (const close of closers.splice(0).reverse()) isInOrder = (await attempt(close)) && isInOrder;
    return isInOrder;
  }

  /** Serves on for so long, so that a balancer hears that nobody is to come here any more before the port closes. */
  async function serveOn(ms: number): Promise<void> {
    if (ms === 0) return;
    server?.announceEnd();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    endDelay = () => {
      endDelay = undefined;
      clearTimeout(timer);
      resolve();
    };
    await promise;
    endDelay = undefined;
  }

  /** Ends in order. Nothing may keep an exit code from being told. */
  async function drain(delayMs: number): Promise<void> {
    isEnding = true;
    await serveOn(delayMs);
    if (fatal) return;
    const isDrained = await attempt(() => server?.drain());
    const isClosed = await closeAll();
    if (isDrained && isClosed) log.info('stopped');
    ended.resolve(isDrained && isClosed ? exitCode : exitCodes.failed);
  }

  /** Begins the end, or takes the delay away from one that has begun; the exit code is that of the first who has another than 0. */
  function end(code: number, delayMs = 0): void {
    exitCode ||= code;
    if (delayMs === 0) endDelay?.();
    if (!isEnding) void drain(delayMs);
  }

  /** After a failed sync nothing may be acknowledged: whoever is waiting is cut off (storage, "A failed `fdatasync`"). */
  function onFatal(error: ChatError): void {
    if (fatal) return;
    fatal = error;
    log.failure('store-failed', error, undefined, {
      note: 'the store has failed: the server ends at once',
    });
    if (!server) return;
    isEnding = true;
    endDelay?.();
    server.destroy();
    void closeAll().then(() => ended.resolve(exitCodes.failed));
  }

  try {
    const directory = await openDataDirectory(config.dataDirectory);
    closers.push(() => directory.close());
    const { cluster } = config;
    const node =
      cluster && (await openNode({ config: cluster, directory: directory.path, log, onFatal, signal }));
    if (node) closers.push(() => node.close());
    const store = node?.store ?? (await openStore({ directory: directory.path, onFatal }));
    if (!node) closers.push(() => store.close());
    const certificates = await keepCertificates({
      async read(isFirst) {
        const { host: listenHost, tls: files } = config;
        const keys = isFirst ? undefined : 'there';
        const open = () =>
          openCertificates({ dataDirectory: directory.path, listenHost, files, now: Date.now(), keys });
        const read = node ? await node.certificates(open) : await open();
        // A database that was brought from elsewhere without the keys beside it.
        if (read.isAuthorityNew && (await store.counts()).accounts > 0)
          log.warn('authority-new', { note: otherAuthority });
        return read;
      },
      log,
    });
    closers.push(() => certificates.stop());
    const settings = node?.settings ?? (await serverSettings(store));
    server = await openServer({
      config,
      store,
      settings,
      node,
      directory: directory.path,
      certificates: certificates.current,
      log,
    });
    certificates.begin((read) => server?.replaceCertificates(read));
    if (fatal) throw fatal;
    const release = guardProcess(crashSource, log, () => end(exitCodes.failed));
    closers.push(async () => release());
    const { address, port, servesClearText } = server.listener;
    const { fingerprint } = certificates.current;
    const place = addressText(server.listener);
    if (servesClearText && config.clearText === 'everywhere') {
      log.warn('clear-text-off-loopback', {
        note: 'clear text is served off loopback: anybody on the way can read and change everything',
      });
    }
    const { metrics } = server;
    if (metrics) {
      const at = addressText(metrics);
      log.info('metrics-served', { address: at });
      if (!isLoopback(metrics.address)) {
        log.warn('metrics-off-loopback', {
          address: at,
          note: 'metrics are served off loopback: whoever reaches them can read them, without a login',
        });
      }
    }
    const tooFew = tooFewFiles(config.limits, filesLimit());
    if (tooFew !== undefined) log.warn('few-open-files', { note: tooFew });
    if (server.claimCode !== undefined) {
      createLog({ format: config.logFormat }, (line) => out.claim(line)).warn('claim', {
        note: `nobody administers this server yet: chat admin claim ${server.claimCode} makes the account that is logged in its administrator`,
      });
    }
    const named = node ? { node: node.id, store: store.figures().remote?.server } : {};
    log.info('started', { address: place, clear_text: servesClearText, data: directory.path, ...named });
    out.ready(`${place} ${fingerprint} ${directory.path}`);
    return {
      address,
      port,
      metricsPort: metrics?.port,
      fingerprint,
      closed: ended.promise,
      stop(signal) {
        if (endDelay) {
          log.info('ending', { signal, note: 'without more delay: calls under way are answered first' });
          end(0);
          return;
        }
        if (isEnding) {
          log.warn('ending-at-once', { signal });
          server?.destroy();
          ended.resolve(exitCodes[signal]);
          return;
        }
        const { shutdownDelayMs } = config;
        const first =
          shutdownDelayMs === 0
            ? ''
            : `everybody is served for ${shutdownDelayMs / 1_000} s more, while /readyz is 503; then `;
        log.info('ending', { signal, note: `${first}calls under way are answered first` });
        end(0, shutdownDelayMs);
      },
      hangUp: () => certificates.readAgain(),
    };
  } catch (error) {
    server?.destroy();
    await closeAll();
    if (signal?.aborted && error === signal.reason)
      log.info('stopped', { note: 'it was asked to end while it was starting' });
    throw error;
  }
}

/** Loads what speaks to PostgreSQL and Redis only for a server that has its database there. */
async function openNode(options: OpenNodeOptions): Promise<OpenNode> {
  const node = await import('./cluster/open-node.ts');
  return await node.openNode(options);
}

function addressText({ address, port }: { readonly address: string; readonly port: number }): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}
