import type * as z from 'zod';
import type { AuditDetails, AuditEntry, AuditNote } from './audit.ts';
import { ChatError } from './errors.ts';
import { issueText } from './issue-text.ts';
import { mechanismOf } from './login/index.ts';
import { addressKey } from './model/address.ts';
import { instantText } from './model/instant.ts';
import type { Session } from './model/session.ts';
import type { CallContext, Cost, Operation } from './operation.ts';
import type { Peer } from './peer.ts';
import { maxAuditDetailLength } from './policy.ts';
import { uuidV7 } from './random.ts';
import type { Services } from './services.ts';

/**
 * The one way a call is served: find, admit, limit, parse, handle, audit. Every throw leaves as one `ChatError`;
 * what is none of ours becomes `internal` with an id, and goes to the log under that id.
 */
export async function serveCall(
  services: Services,
  operations: ReadonlyMap<string, Operation>,
  peer: Peer,
  name: string,
  params: unknown,
): Promise<unknown> {
  const now = Date.now();
  const start = performance.now();
  const { meter } = services;
  const operation = operations.get(name);
  // An admission that fails never learns which operations exist beyond the documented ones: the list is public.
  if (!operation) {
    meter?.served(undefined, 'unsupported', 0, peer);
    throw new ChatError('unsupported', `there is no operation of this name: ${shown(name)}`);
  }
  const account = peer.session?.userId;
  let caller = peer.session?.username ?? namedUser(params);
  let isAdmitted = false;
  let isConcerned = false;
  // Most calls are messages, which the trail does not have.
  const notes: AuditNote[] | undefined = operation.audited
    ? [{ details: subjects(peer, params) }]
    : undefined;
  try {
    const session = admit(services, operation, peer, now);
    isAdmitted = true;
    if (operation.access === 'admin') await requireAdministrator(services, session);
    // A message is counted within this very turn, so that those of one connection stay in their order.
    const counted = limit(services, operation.cost, peer, session, now);
    if (counted) await counted;
    const input = parse(operation, params);
    const context: CallContext = {
      services,
      peer,
      session,
      now,
      concerns: (user) => {
        caller = user;
        isConcerned = true;
      },
      note: (note) => void notes?.push(note),
    };
    const result = await operation.handle(input, context);
    if (notes && !notes.some(({ isRepeated }) => isRepeated))
      services.audit(entry(operation, peer, now, { user: caller, notes, outcome: 'ok' }));
    meter?.served(name, 'ok', performance.now() - start, peer);
    return result;
  } catch (error) {
    const safe = toChatError(services, error);
    meter?.served(name, safe.code, performance.now() - start, peer);
    // Of a call that lacks a session nothing is kept: anybody can make any number of them, and they do nothing.
    const isNobodys = !isAdmitted && safe.code === 'unauthenticated';
    if (notes && !isNobodys) {
      const refused = entry(operation, peer, now, { user: caller, notes, outcome: safe.code });
      services.refusals.refused(refused, { account, isConcerned });
    }
    throw safe;
  }
}

function admit(services: Services, operation: Operation, peer: Peer, now: number): Session | undefined {
  if (operation.access === 'anyone') return peer.session;
  const session = services.sessions.admit(peer, now);
  const isFactorMissing = services.policy.requiresSecondFactor && !session.hasSecondFactor;
  if (isFactorMissing && !operation.needsNoFactor) {
    throw new ChatError(
      'forbidden',
      'this server requires a second factor, and this account has none: run `chat totp on`',
    );
  }
  if (session.erasesAt !== undefined && !operation.whileErasing) {
    throw new ChatError(
      'forbidden',
      `this account is to be erased at ${instantText(session.erasesAt)}: \`chat account erase --cancel\` keeps it`,
    );
  }
  return session;
}

/** The store is asked each time, so that who is made an administrator, or is one no more, is so at once on every node. */
async function requireAdministrator({ store }: Services, session: Session | undefined): Promise<void> {
  const account = session && (await store.account(session.username));
  if (!account?.isAdmin) throw new ChatError('forbidden', 'only an administrator may do this');
}

/** What is counted by address, also of those who are logged in: who has many accounts gets no more of it. */
const addressCosts: ReadonlySet<Cost> = new Set<Cost>(['login', 'registration', 'mail-request']);

function limit(
  { limits }: Services,
  cost: Cost,
  peer: Peer,
  session: Session | undefined,
  now: number,
): Promise<void> | undefined {
  if (cost === 'none') return undefined;
  const isOfAddress = addressCosts.has(cost) || !session;
  const key = isOfAddress ? addressKey(peer.address) : session.userId;
  if (cost !== 'message') return limits.take(cost, key);
  limits.takeMessage(key, now);
  return undefined;
}

function parse(operation: Operation, params: unknown): unknown {
  const parsed = operation.input.safeParse(params, { error: issueText });
  if (parsed.success) return parsed.data;
  throw inputError(parsed.error);
}

/** Turns the first thing a schema found into an error that names the field. */
function inputError(error: z.ZodError): ChatError {
  const issue = error.issues[0];
  if (!issue) return new ChatError('invalid', 'the input does not fit');
  if (issue.code === 'unrecognized_keys') {
    const field = issue.keys[0] ?? '';
    return new ChatError('invalid', `${shown(field)}: there is no such field here`, { field: shown(field) });
  }
  const field = issue.path.map((part) => shown(String(part))).join('.');
  const isTooLarge = issue.code === 'custom' && issue.params?.tooLarge === true;
  const message = field === '' ? issue.message : `${field}: ${issue.message}`;
  return new ChatError(isTooLarge ? 'too-large' : 'invalid', message, field === '' ? {} : { field });
}

/** Makes the error of a caller of what was thrown: what is no `ChatError` becomes `internal`, and goes to the log under its id. */
export function toChatError(services: Pick<Services, 'onFailure'>, error: unknown): ChatError {
  if (error instanceof ChatError) return error;
  const errorId = uuidV7();
  services.onFailure(error, errorId);
  return new ChatError('internal', `something went wrong on the server (${errorId})`, {
    errorId,
    cause: error,
  });
}

function entry(
  { name }: Operation,
  { door, address }: Peer,
  at: number,
  about: { user: string | undefined; notes: readonly AuditNote[]; outcome: AuditEntry['outcome'] },
): AuditEntry {
  const { user, notes, outcome } = about;
  const factors = [mechanismOf(name), ...notes.map(({ factor }) => factor)].filter(
    (one) => one !== undefined,
  );
  const details = Object.assign({}, ...notes.map((note) => note.details)) as AuditDetails;
  return {
    at,
    operation: name,
    user,
    door,
    address,
    ...(factors.length > 0 && { factor: factors.join('+') }),
    outcome,
    ...(Object.keys(details).length > 0 && { details: shortened(details) }),
  };
}

/** What a call is about besides its caller, as far as everybody may read it: whose session it came with, and what it named. */
function subjects({ session }: Peer, params: unknown): AuditDetails {
  const { room, id, username, others, all } = (params ?? {}) as Readonly<Record<string, unknown>>;
  return {
    ...(session && { session: session.id }),
    ...(typeof room === 'string' && { room }),
    ...(typeof id === 'string' && { id }),
    ...(session && typeof username === 'string' && { account: username }),
    ...(others === true && { others }),
    ...(all === true && { all }),
  };
}

/** Nothing that a stranger has written fills the trail, or can be more than text in it. */
function shortened(details: AuditDetails): AuditDetails {
  return Object.fromEntries(
    Object.entries(details).map(([name, value]) => [
      name,
      typeof value === 'string' ? shown(value, maxAuditDetailLength) : value,
    ]),
  );
}

/** The account a caller without a session speaks of, when it says so in plain; shortened, for the audit alone. */
function namedUser(params: unknown): string | undefined {
  const name = (params as { username?: unknown } | null | undefined)?.username;
  return typeof name === 'string' ? shown(name) : undefined;
}

/** What could forge a line, move a cursor or turn text around; JSON escapes only some of it (ASVS 16.4.1). */
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A stranger's text, safe in a line of ours. */
function shown(text: string, length = 64): string {
  return JSON.stringify(text.slice(0, length))
    .slice(1, -1)
    .replace(unsafe, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
