import type { AuditDetails } from './audit.ts';
import type { AuditRow } from './audit-chain.ts';
import { ChatError } from './errors.ts';
import type { Account } from './model/account.ts';
import { conversationName, parseConversationName } from './model/conversation-name.ts';
import { instantText } from './model/instant.ts';
import { wireBody } from './model/message.ts';
import type { CallContext } from './operation.ts';
import { listed } from './operations/certificate/listed.ts';
import type { OwnSection } from './own-sections.ts';
import type { SentPlace } from './ports/store/own-data.ts';

/** A page of a section; `next` is the `after` of the one that follows. It may have no rows and still a next one. */
export interface OwnPage {
  readonly rows: ReadonlyArray<Readonly<Record<string, unknown>>>;
  readonly next: string | undefined;
}

/** Who asks, and how much he gets at once. */
interface Asked {
  readonly context: CallContext<'session'>;
  readonly account: Account;
  readonly after: string | undefined;
  readonly limit: number;
}

const whole = (rows: OwnPage['rows']): OwnPage => ({ rows, next: undefined });

/**
 * What is kept about the caller, and about nobody else: of messages those that he has sent, wherever that was. What others wrote
 * to him is theirs. No secret and no digest of one: neither the verifier nor a token's.
 */
const sections: Readonly<Record<OwnSection, (asked: Asked) => Promise<OwnPage>>> = {
  async account({ account }) {
    return whole([
      {
        user_id: account.id,
        username: account.username,
        email: account.email,
        email_verified_at: timeOrNull(account.emailVerifiedAt),
        privacy: account.privacy,
        admin: account.isAdmin,
        second_factor: account.hasSecondFactor,
        second_factor_taken_at: timeOrNull(account.factorTakenAt ?? null),
        created_at: instantText(account.createdAt),
        erases_at: timeOrNull(account.erasesAt ?? null),
      },
    ]);
  },
  async consents({ context, account }) {
    const found = await context.services.store.consents({ userId: account.id });
    return whole(
      found.map(({ digest, at, door }) => ({ sha256: digest, accepted_at: instantText(at), door })),
    );
  },
  async devices({ context, account, after = '', limit }) {
    const found = await context.services.store.devices({ userId: account.id, after, limit });
    const rows = found.map(({ id, label, createdAt }) => ({ id, label, created_at: instantText(createdAt) }));
    return { rows, next: found.length === limit ? found.at(-1)?.id : undefined };
  },
  async keys({ context, account, after = '0', limit }) {
    const found = await context.services.store.keyRecords({
      userId: account.id,
      after: readNumber(after),
      limit,
    });
    const rows = found.map(({ seq, record, publishedAt }) => ({
      seq,
      record,
      published_at: instantText(publishedAt),
    }));
    return { rows, next: found.length === limit ? `${found.at(-1)?.seq}` : undefined };
  },
  async sessions({ context: { services, session, now }, account }) {
    const found = await services.store.sessions({
      userId: account.id,
      now,
      idleMs: services.policy.sessionIdleMs,
    });
    return whole(
      found.map((one) => ({
        id: one.id,
        device_id: one.deviceId,
        device: one.deviceLabel,
        door: one.door,
        address: one.address,
        created_at: instantText(one.createdAt),
        last_used_at: instantText(one.lastUsedAt),
        expires_at: instantText(services.sessions.expiresAt(one)),
        current: one.id === session.id,
        ...(one.certificate !== undefined && { certificate: one.certificate }),
      })),
    );
  },
  async certificates({ context, account }) {
    return whole((await context.services.store.certificates({ userId: account.id })).map(listed));
  },
  async conversations({ context, account }) {
    const found = await context.services.store.conversations({ userId: account.id });
    return whole(
      found.map(({ ref, lastSeq, readSeq }) => ({
        to: conversationName(ref),
        last_seq: lastSeq,
        read_seq: readSeq,
      })),
    );
  },
  async messages({ context, account, after, limit }) {
    const { messages, next } = await context.services.store.sentMessages({
      userId: account.id,
      after: after === undefined ? undefined : readPlace(after),
      limit,
    });
    const rows = messages.map(({ ref, seq, id, sentAt, body }) => ({
      to: conversationName(ref),
      seq,
      id,
      sent_at: instantText(sentAt),
      ...wireBody(body),
    }));
    return { rows, next: next && `${conversationName(next.ref)} ${next.seq}` };
  },
  async invites({ context: { services, now }, account, after = '', limit }) {
    const found = await services.store.invites({ after, limit, now });
    const rows = found
      .filter(({ by }) => by === account.username)
      .map(({ id, createdAt, expiresAt, uses, usesLeft }) => ({
        id,
        created_at: instantText(createdAt),
        expires_at: instantText(expiresAt),
        uses,
        uses_left: usesLeft,
      }));
    return { rows, next: found.length === limit ? found.at(-1)?.id : undefined };
  },
  async audit({ context, account, after, limit }) {
    const { rows, next } = await context.services.store.auditPage({
      user: account.username,
      limit,
      after: after === undefined ? 0 : readNumber(after),
    });
    return { rows: rows.map(auditRow), next: next === undefined ? undefined : String(next) };
  },
};

/** A page of one section. `invalid` for an `after` that no page has given. */
export function ownPage(section: OwnSection, asked: Asked): Promise<OwnPage> {
  return sections[section](asked);
}

/**
 * A row's address is the owner's where he was proven: it was done in a session of his, or made his account. Who failed, or only named
 * the account, may have been somebody else; and a code that sets its password may be brought with a stranger's session.
 */
function auditRow({ at, operation, door, factor, address, outcome, details: kept }: AuditRow) {
  const isOfAnybody = kept === null || operation === 'account.reset-password';
  const details: AuditDetails | null = isOfAnybody ? null : JSON.parse(kept);
  const isOwners = details?.session !== undefined || operation === 'account.register';
  return {
    at: instantText(at),
    operation,
    door,
    factor,
    address: outcome === 'ok' && isOwners ? address : null,
    outcome,
    details,
  };
}

function readPlace(after: string): SentPlace {
  const [name = '', seq = '', ...rest] = after.split(' ');
  if (rest.length > 0) throw notOurs();
  return { ref: parseConversationName(name), seq: readNumber(seq) };
}

function readNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw notOurs();
  return Number(text);
}

function notOurs(): ChatError {
  return new ChatError('invalid', 'after: give what the page before has for its next', { field: 'after' });
}

function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : instantText(ms);
}
