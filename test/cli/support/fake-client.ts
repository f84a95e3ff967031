import type { ClientLibrary } from '../../../src/cli/client-library.ts';
import type { Connection, WireEvent, WireMessage } from '../../../src/client/connection.ts';
import type { LoginPin } from '../../../src/core/crypto/scram-client.ts';
import { ChatError } from '../../../src/core/errors.ts';

/** A key that no test trusts yet. */
export const serverFingerprint = `SHA256:${'A'.repeat(43)}`;
export const otherFingerprint = `SHA256:${'B'.repeat(43)}`;

export const testPin: LoginPin = {
  suite: 'CHAT-SCRAM-BCRYPT-1',
  bound: true,
  cost: 12,
  realm: 'realm',
  serverKey: `${'A'.repeat(43)}=`,
};

/** A session as the server opens it; the tokens are named after `name`. */
export function openedSession(username: string, name = 'first') {
  return {
    user_id: `id-of-${username}`,
    username,
    session_id: `session-${name}`,
    session_token: `cs1_${name}`,
    refresh_token: `cr1_${name}`,
    expires_at: '2026-11-22T06:00:00.000Z',
    device_id: `device-of-${username}`,
  };
}

export function message(seq: number, fields: Partial<WireMessage> = {}): WireMessage {
  return {
    to: '#lobby',
    seq,
    id: `00000000-0000-7000-8000-${String(seq).padStart(12, '0')}`,
    sender: 'sam',
    sent_at: `2019-11-01T09:30:${String(seq % 60).padStart(2, '0')}.000Z`,
    text: `message ${seq}`,
    ...fields,
  };
}

type Answer = object | ChatError | ((params: Record<string, unknown>) => object | Promise<object>);

/** A scripted server: what it answers by operation, whose tokens are alive, and what was asked. */
export interface FakeServer {
  readonly answers: Record<string, Answer>;
  /** Live session tokens and whose they are. */
  readonly alive: Map<string, string>;
  readonly calls: { readonly name: string; readonly params: object }[];
  /** What follow and history yield. */
  readonly messages: WireMessage[];
  /** Told to whoever listens, at once. */
  readonly events: WireEvent[];
  opened: number;
  closed: number;
  fingerprint: string;
  trustedBySystem: boolean;
  readonly connect: ClientLibrary['connect'];
}

async function answerWith(answer: Answer | undefined, name: string, params: object): Promise<object> {
  if (answer === undefined) throw new ChatError('unsupported', `${name} is not scripted`);
  if (answer instanceof ChatError) throw answer;
  return typeof answer === 'function' ? await answer({ ...params }) : answer;
}

export function fakeServer(answers: Record<string, Answer> = {}): FakeServer {
  const server: FakeServer = {
    answers,
    alive: new Map([['cs1_first', 'alice']]),
    calls: [],
    messages: [],
    events: [],
    opened: 0,
    closed: 0,
    fingerprint: serverFingerprint,
    trustedBySystem: false,
    async connect(options) {
      const identity = {
        spki: new Uint8Array(),
        fingerprint: server.fingerprint,
        trustedBySystem: server.trustedBySystem,
      };
      if (options.server.scheme === 'chat') await options.checkIdentity(identity);
      server.opened += 1;
      const connection: Connection = {
        server: options.server,
        identity: options.server.scheme === 'chat' ? identity : undefined,
        channelBinding: undefined,
        async call(name, params) {
          server.calls.push({ name, params });
          // The script stands in for every operation's own type.
          return (await answerWith(answers[name], name, params)) as never;
        },
        onEvent(listener) {
          for (const event of server.events) listener(event);
          return () => {};
        },
        closed: new Promise(() => {}),
        async close() {
          server.closed += 1;
        },
        pause() {
          server.calls.push({ name: 'pause', params: {} });
        },
        resume() {
          server.calls.push({ name: 'resume', params: {} });
        },
      };
      return connection;
    },
  };
  return server;
}

/** The library over a scripted server; logins succeed with the password `secret` and open the session `first`. */
export function fakeClient(server: FakeServer = fakeServer()): ClientLibrary {
  return {
    connect: server.connect,
    async register(_connection, { username }) {
      return { user_id: `id-of-${username}`, username, created_at: '2026-11-21T06:00:00.000Z' };
    },
    async login(_connection, { username, password }) {
      if (password !== 'secret') throw new ChatError('unauthenticated', 'unknown user or wrong secret');
      server.alive.set('cs1_first', username);
      return { session: openedSession(username), pin: testPin };
    },
    async resume(_connection, token) {
      const username = server.alive.get(token);
      if (username === undefined)
        throw new ChatError('unauthenticated', 'the session is unknown, expired or revoked');
      const { session_token: _token, refresh_token: _refresh, ...resumed } = openedSession(username);
      return resumed;
    },
    async loginByCertificate(connection, { username }) {
      await connection.call('login.certificate', { username });
      server.alive.set('cs1_first', username);
      return { session: openedSession(username), realm: testPin.realm };
    },
    async registerByCertificate(connection, { username, request, label }) {
      const signed = await connection.call('account.register', {
        username,
        ...(request === undefined ? { certificate: true as const } : { certificate_request: request }),
        certificate_label: label,
      });
      const { created_at = '2026-11-21T06:00:00.000Z' } = signed as { created_at?: string };
      return { account: { user_id: `id-of-${username}`, username, created_at }, signed: signed as never };
    },
    async issueCertificate(connection, { request, label, proof }) {
      return await connection.call('certificate.issue', {
        request,
        label,
        ...(proof === 'login' ? { proof: { login: true } } : {}),
      });
    },
    async resetByCertificate(connection, { username, code, request, label }) {
      return (await connection.call('account.reset-password', {
        username,
        code,
        certificate_request: request,
        certificate_label: label,
      })) as never;
    },
    async proveAgain(_connection, { username, password }) {
      return { exchange: `exchange of ${username}`, message: `proof of ${password}` };
    },
    async changePassword(connection, { prove, newPassword, privacy }) {
      await connection.call('account.change-password', {
        proof: await prove(),
        hashed_password: `v1.hash of ${newPassword}`,
        privacy,
      });
      return { privacy, ended_sessions: 2, cost: 13 };
    },
    async hashPassword(_connection, { username, password }) {
      return { username, hashed_password: `v1.hash of ${password}`, realm: 'realm', salt: 'salt', cost: 12 };
    },
    async resetPassword(connection, { username, password, code }) {
      await connection.call('account.reset-password', { username, code, password });
    },
    async setUpKeys() {
      throw new ChatError('unsupported', 'this server knows no keys');
    },
    async sendReliably({ open }) {
      await open();
      return { id: 'message-1', seq: 1, sent_at: '2026-11-21T06:00:00.000Z' };
    },
    async sendMany({ open, lines, onAck }) {
      await open();
      let sent = 0;
      for await (const _line of lines) {
        sent += 1;
        onAck?.(sent, { id: `message-${sent}`, seq: sent, sent_at: '2026-11-21T06:00:00.000Z' });
      }
      return { sent };
    },
    async *follow({ open }) {
      await open();
      yield* server.messages;
    },
    async *history({ to }) {
      yield* server.messages.filter((message) => message.to === to);
    },
  };
}

/** What a server answers to `account.begin-register`, as far as the real library asks for it. */
export const begunRegistration = {
  realm: 'realm',
  cost: 10,
  suite: 'CHAT-SCRAM-BCRYPT-1',
  server_key: 'AAAA',
} as const;
