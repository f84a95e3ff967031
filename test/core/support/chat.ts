import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeBase64, encodeBase64, hash } from 'bcryptjs';
import { onTestFinished } from 'vitest';
import type { AuditEntry } from '../../../src/core/audit.ts';
import { type Chat, createChat } from '../../../src/core/chat.ts';
import { fromBase64, toBase64 } from '../../../src/core/crypto/bytes.ts';
import { beginLogin, type ChannelBinding } from '../../../src/core/crypto/scram-client.ts';
import { authSecretFrom, boundPassword, stretch } from '../../../src/core/crypto/stretch.ts';
import { verifierFrom } from '../../../src/core/crypto/verifier.ts';
import { ChatError } from '../../../src/core/errors.ts';
import { parsePassword } from '../../../src/core/model/password.ts';
import type { Terms } from '../../../src/core/model/terms.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import type { InputOf, OperationName, OutputOf } from '../../../src/core/operations/index.ts';
import type { Peer } from '../../../src/core/peer.ts';
import { defaultPolicy, type Policy } from '../../../src/core/policy.ts';
import type { Bus } from '../../../src/core/ports/bus.ts';
import type { CertificateAuthority } from '../../../src/core/ports/certificate-authority.ts';
import type { Mailer } from '../../../src/core/ports/mailer.ts';
import type { PasswordStretcher } from '../../../src/core/ports/password-stretcher.ts';
import type { PresenceBoard } from '../../../src/core/ports/presence-board.ts';
import type { SessionCache } from '../../../src/core/ports/session-cache.ts';
import type { ServerSettings } from '../../../src/core/ports/store/settings.ts';
import type { Store } from '../../../src/core/ports/store.ts';
import { createTurn, type Turn } from '../../../src/core/turn.ts';
import { localBus } from '../../../src/server/bus/local.ts';
import { localCounter } from '../../../src/server/counter/local.ts';
import { localSessionCache } from '../../../src/server/session-cache/local.ts';
import { FakePeer, type FakePeerParts, serverKey } from './fake-peer.ts';
import { storeWithoutThread } from './store-without-thread.ts';

export { FakePeer, peer, serverKey } from './fake-peer.ts';

/** What every account of these tests has for a password unless it says otherwise. */
export const password = 'correct horse battery staple';

const settings: ServerSettings = {
  realm: 'chat.example',
  serverSecret: Uint8Array.from({ length: 32 }, (_, index) => index),
};

/** What a test may put in place of the usual. */
export interface OpenChatParts {
  /** Makes this another node over that one's store. */
  readonly beside?: TestChat;
  readonly policy?: Partial<Policy>;
  /** Wraps the bus, to lose or reorder notices. */
  readonly bus?: (bus: Bus) => Bus;
  /** Wraps the store, to watch it or make it fail. */
  readonly store?: (store: Store) => Store;
  /** Left out: the memory of a server, as large as anybody needs. */
  readonly caches?: readonly SessionCache[];
  /** Left out: this server sends no mail. */
  readonly mail?: { readonly mailer: Mailer; readonly server: string | undefined };
  /** Left out: one without threads that makes each AuthSecret once. */
  readonly stretcher?: PasswordStretcher;
  /** Left out: nothing has to be accepted. */
  readonly terms?: Terms;
  /** Left out: this server signs no certificates. */
  readonly authority?: CertificateAuthority;
  /** Left out: there are no other nodes on which people could be online. */
  readonly presence?: (bus: Bus) => PresenceBoard;
}

/** A real chat over the real embedded store, with what it said to the world outside. */
export interface TestChat {
  readonly chat: Chat;
  readonly store: Store;
  readonly bus: Bus;
  readonly turn: Turn;
  readonly audit: AuditEntry[];
  readonly failures: Array<{ error: unknown; errorId: string | undefined }>;
  /** Calls an operation as its schema has it. */
  call<N extends OperationName>(peer: Peer, name: N, params: InputOf<N>): Promise<OutputOf<N>>;
  /** Calls an operation with whatever a stranger sends. */
  send(peer: Peer, name: string, params: unknown): Promise<unknown>;
  /** Resolves when everything that was asked of the store before, and what followed from it, has been told. */
  quiet(): Promise<void>;
}

/** Opens chat on a directory of its own; both are gone after the test. */
export async function openChat(parts: OpenChatParts = {}): Promise<TestChat> {
  const failures: TestChat['failures'] = [];
  const audit: AuditEntry[] = [];
  const onFailure = (error: unknown, errorId?: string): void => {
    failures.push({ error, errorId });
  };
  const real = parts.beside?.store ?? (await openStore(onFailure));
  const store = parts.store?.(real) ?? real;
  const local = localBus(onFailure);
  const bus = parts.bus?.(local) ?? local;
  const policy = { ...defaultPolicy, bcryptCost: 10, ...parts.policy };
  const turn = createTurn(setImmediate);
  const chat = createChat(
    {
      store,
      caches: parts.caches ?? [localSessionCache({ maxEntries: 1_000 })],
      bus,
      counter: localCounter(),
      audit: (entry) => {
        audit.push(entry);
      },
      turn,
      mail: parts.mail,
      stretcher: parts.stretcher ?? rememberingStretcher,
      onFailure,
      terms: parts.terms,
      authority: parts.authority,
      presence: parts.presence?.(bus),
    },
    policy,
    await store.settings(settings),
  );
  // The last that was opened is stopped first, and the store of all of them closed at the end.
  onTestFinished(() => chat.stop());
  return {
    chat,
    store,
    bus,
    turn,
    audit,
    failures,
    call: (peer, name, params) => chat.call(peer, name, params) as never,
    send: (peer, name, params) => chat.call(peer, name, params),
    async quiet() {
      // A store answers in order: what was asked before this is answered; many times, for what it leads to.
      for (let round = 0; round < 8; round++) {
        await real.existingSessions([]);
        await turnOver();
      }
    },
  };
}

/** A store on a directory of its own; both are gone after the test. */
async function openStore(onFatal: (error: unknown) => void): Promise<Store> {
  const directory = await mkdtemp(join(tmpdir(), 'chat-core-'));
  const store = await storeWithoutThread({ directory, onFatal });
  onTestFinished(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  return store;
}

/** One turn of the event loop. */
export function turnOver(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

const stretched = new Map<string, Promise<Uint8Array>>();

/** How much lower a cost is taken here than is asked for: 64 times less work. That it is as much as asked for is for stretch.test.ts. */
const spared = 6;

/** The AuthSecret of security 1.3, but for {@link spared}, made once for each password of an account. */
export function authSecret(
  username: string,
  secret: string,
  salt: Uint8Array,
  cost: number,
): Promise<Uint8Array> {
  const key = `${username} ${toBase64(salt)} ${cost} ${secret}`;
  const known = stretched.get(key);
  if (known) return known;
  const bound = boundPassword({
    realm: settings.realm,
    username: parseUsername(username),
    password: parsePassword(secret),
  });
  const setting = `$2b$${String(cost - spared).padStart(2, '0')}$${encodeBase64(salt, salt.length)}`;
  const made = hash(bound, setting).then((hashed) =>
    authSecretFrom(Uint8Array.from(decodeBase64(hashed.slice(setting.length), 23))),
  );
  stretched.set(key, made);
  return made;
}

/** The AuthSecret of security 1.3 as a client makes it, of a password that one has set. */
export function wholeSecret(
  username: string,
  secret: string,
  salt: Uint8Array,
  cost: number,
): Promise<Uint8Array> {
  return stretch({
    realm: settings.realm,
    username: parseUsername(username),
    password: parsePassword(secret),
    salt,
    cost,
  });
}

const rememberingStretcher: PasswordStretcher = {
  stretch: ({ username, password: secret, salt, cost }) => authSecret(username, secret, salt, cost),
};

/** The salt of an account of these tests: always the same, so that its AuthSecret is too. */
export function saltOf(username: string): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, index) => (username.charCodeAt(index) || index) % 256);
}

/** A registration from a verifier that the client has made. */
export type VerifierRegistration = InputOf<'account.register'> & {
  verifier: NonNullable<InputOf<'account.register'>['verifier']>;
};

/** What a client registers with. */
export async function registration(username: string, secret = password): Promise<VerifierRegistration> {
  const salt = saltOf(username);
  const verifier = verifierFrom(await authSecret(username, secret, salt, 10), salt, 10);
  return {
    username,
    verifier: {
      suite: 'CHAT-SCRAM-BCRYPT-1',
      salt: toBase64(verifier.salt),
      cost: verifier.cost,
      stored_key: toBase64(verifier.storedKey),
      server_key: toBase64(verifier.serverKey),
    },
  };
}

/** Makes accounts, each with `password`. */
export async function register(t: TestChat, ...usernames: string[]): Promise<void> {
  for (const username of usernames) {
    await t.call(new FakePeer(), 'account.register', await registration(username));
  }
}

/** How a login is made. */
export interface LoginParts {
  readonly password?: string;
  readonly device?: { id?: string; label?: string; default_label?: string };
  /** Left out: {@link authSecret}. */
  readonly makes?: typeof authSecret;
}

/** A login whose proof is ready to be sent. */
export interface Challenged {
  readonly exchange: string;
  readonly serverFirst: string;
  readonly proof: string;
  verifyServer(serverFinal: string): { readonly bound: boolean };
}

/** The first half of a login with the real client half, up to the proof. */
export async function challenged(
  t: TestChat,
  peer: Peer,
  username: string,
  secret = password,
  makes = authSecret,
): Promise<Challenged> {
  const exporter = peer.channel.tlsExporter;
  const binding: ChannelBinding = exporter ? { kind: 'tls-exporter', bytes: exporter() } : { kind: 'none' };
  const started = beginLogin({ username: parseUsername(username), binding });
  const answer = await t.call(peer, 'login.begin', { message: started.message });
  const challenge = started.readChallenge(answer.message, {
    serverPublicKey: fromBase64(answer.server_key) ?? serverKey,
    offer: { suites: answer.suites, bindings: answer.bindings },
  });
  const finished = challenge.finish(await makes(username, secret, challenge.salt, challenge.cost));
  return {
    exchange: answer.exchange,
    serverFirst: answer.message,
    proof: finished.message,
    verifyServer: (serverFinal) => finished.verifyServer(serverFinal),
  };
}

/** Logs a connection in, each side having checked the other. */
export async function login(
  t: TestChat,
  peer: Peer,
  username: string,
  parts: LoginParts = {},
): Promise<OutputOf<'login.finish'>> {
  const { exchange, proof, verifyServer } = await challenged(t, peer, username, parts.password, parts.makes);
  const opened = await t.call(peer, 'login.finish', {
    exchange,
    message: proof,
    ...(parts.device ? { device: parts.device } : {}),
  });
  verifyServer(opened.message);
  return opened;
}

/** A new connection that is logged in. */
export async function loggedIn(
  t: TestChat,
  username: string,
  parts: FakePeerParts & LoginParts = {},
): Promise<FakePeer & { readonly opened: OutputOf<'login.finish'> }> {
  const connection = new FakePeer(parts);
  return Object.assign(connection, { opened: await login(t, connection, username, parts) });
}

/** What a call was refused with, whole; throws when it was not refused or not by a `ChatError`. */
export async function refusal(
  call: Promise<unknown>,
): Promise<{ code: string; message: string } & Record<string, unknown>> {
  const outcome = await call.then(
    (value: unknown) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if (!('error' in outcome)) throw new Error(`not refused, but answered ${JSON.stringify(outcome.value)}`);
  const { error } = outcome;
  if (!(error instanceof ChatError)) throw error;
  return { code: error.code, message: error.message, ...error.details };
}

/** The one refusal of every token that is not alive. */
export const badToken = {
  code: 'unauthenticated',
  message: 'the session is unknown, expired or revoked',
};
/** The one refusal of an unknown user and of a wrong password. */
export const badCredentials = { code: 'unauthenticated', message: 'unknown user or wrong secret' };
/** The refusal of a call on a connection that is nobody's. */
export const logInFirst = { code: 'unauthenticated', message: 'log in first' };
