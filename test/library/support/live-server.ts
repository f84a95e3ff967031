import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseServerAddress } from '../../../src/client/address.ts';
import { connect as connectTo } from '../../../src/client/connection.ts';
import { login, type OpenedSession } from '../../../src/client/login.ts';
import { register } from '../../../src/client/register.ts';
import type { Chat, ConnectOptions } from '../../../src/library/library.ts';
import { connect } from '../../../src/library/library.ts';
import type { CrashSource } from '../../../src/server/crash-guard.ts';
import { type RunningServer, serve } from '../../../src/server/serve.ts';
import { sqliteStore } from '../../../src/server/store/sqlite/store.ts';

/** What everybody here has for a password. */
export const password = 'as good as any other';

/** A real server in this process, which can be away for a while, with a data directory and a port of its own. */
export class LiveServer {
  readonly directory = mkdtempSync(join(tmpdir(), 'chat-library-'));
  readonly #programs = new Set<Chat>();
  #running: RunningServer | undefined;
  #port = 0;
  fingerprint = '';

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    const flags = { listen: this.address, data: join(this.directory, 'data'), 'bcrypt-cost': '10' };
    const running = await serve(
      { flags, env: {}, platform: 'linux', homeDirectory: '/nowhere' },
      { ready: () => {}, log: () => {}, claim: () => {} },
      { process: new EventEmitter() as unknown as CrashSource, openStore: sqliteStore },
    );
    this.#running = running;
    this.#port = running.port;
    this.fingerprint = running.fingerprint;
  }

  async stop(): Promise<void> {
    this.#running?.stop('SIGTERM');
    await this.#running?.closed;
    this.#running = undefined;
  }

  /** Makes an account, and answers a session of it. */
  async register(username: string): Promise<OpenedSession> {
    const connection = await connectTo({
      server: parseServerAddress(this.address),
      timeoutMs: 10_000,
      checkIdentity: async () => {},
    });
    try {
      await register(connection, { username, password });
      return (await login(connection, { username, password })).session;
    } finally {
      await connection.close();
    }
  }

  /** A program that is logged in; closed when a test is done. */
  async connect(options: Partial<ConnectOptions>): Promise<Chat> {
    const chat = await connect({ server: this.address, fingerprint: this.fingerprint, ...options });
    this.#programs.add(chat);
    return chat;
  }

  async closePrograms(): Promise<void> {
    const programs = [...this.#programs];
    this.#programs.clear();
    await Promise.all(programs.map((chat) => chat.close()));
  }

  async close(): Promise<void> {
    await this.closePrograms();
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
