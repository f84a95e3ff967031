import type { OperationName } from '../core/operations/index.ts';
import { BadFrame, objectIn } from './frames.ts';

/** What stands somewhere in an answer: a list of one kind, or an object, whose members may be null (`*`) or left out (`?`). */
export type Shape =
  | 'text'
  | 'number'
  | 'flag'
  | 'object'
  | readonly [Shape]
  | { readonly [member: string]: Shape };

/** A session that was opened. */
const opened = {
  user_id: 'text',
  username: 'text',
  session_id: 'text',
  session_token: 'text',
  refresh_token: 'text',
  expires_at: 'text',
  device_id: 'text',
} as const;

/** Somebody, and whether they are there. */
const person = { username: 'text', online: 'flag' } as const;

/** A certificate that was signed. */
const signed = { id: 'text', certificate: 'text', authority: 'text', expires_at: 'text' } as const;

/** A certificate as it is listed. */
const certificate = {
  id: 'text',
  kind: 'text',
  label: 'text',
  fingerprint: 'text',
  created_at: 'text',
  'last_used_at*': 'text',
  'expires_at*': 'text',
  'revoked_at*': 'text',
} as const;

/** One end of the audit trail. */
const end = { seq: 'number', hash: 'text' } as const;

/**
 * What operations answer, as far as a client rests on it without looking: the schemas of the operations are too heavy to be loaded for
 * that, and a test holds this against them. Answers that stand not here are read with more care, or with less asked, where they are used.
 */
export const answerShapes: Readonly<Partial<Record<OperationName, Shape>>> = {
  'account.register': {
    user_id: 'text',
    username: 'text',
    created_at: 'text',
    'session?': opened,
    'certificate?': signed,
    'warning?': 'text',
  },
  'account.begin-change-password': {
    realm: 'text',
    suite: 'text',
    salt: 'text',
    cost: 'number',
    password_policy: { min_code_points: 'number', common: 'text' },
  },
  'account.change-password': { privacy: 'text', ended_sessions: 'number', 'warning?': 'text' },
  'account.me': {
    user_id: 'text',
    username: 'text',
    'email*': 'text',
    email_verified: 'flag',
    privacy: 'text',
    admin: 'flag',
    created_at: 'text',
    second_factor: { on: 'flag', recovery_codes_left: 'number', 'taken_at?': 'text' },
    'erases_at?': 'text',
    'terms?': { sha256: 'text', 'accepted_at*': 'text' },
    session: { id: 'text', device_id: 'text', device: 'text', expires_at: 'text' },
  },
  'account.set-email': { email: 'text', email_verified: 'flag', mail_sent: 'flag' },
  'account.request-email-verification': { email: 'text', email_verified: 'flag' },
  'account.verify-email': { email: 'text' },
  'account.reset-password': { username: 'text', 'warning?': 'text', 'certificate?': signed },
  'admin.reset': { username: 'text', code: 'text', expires_at: 'text' },
  'account.totp-begin': { secret: 'text', uri: 'text' },
  'account.totp-confirm': { recovery_codes: ['text'], ended_sessions: 'number' },
  'account.totp-off': { ended_sessions: 'number' },
  'account.recovery-codes': { recovery_codes: ['text'] },
  'account.accept-terms': { sha256: 'text' },
  'account.export': { section: 'text', rows: ['object'], 'next*': 'text', sections: ['text'] },
  'account.erase': { erases_at: 'text' },
  'session.list': {
    sessions: [
      {
        id: 'text',
        device: 'text',
        door: 'text',
        address: 'text',
        created_at: 'text',
        last_used_at: 'text',
        expires_at: 'text',
        current: 'flag',
        'certificate?': 'text',
      },
    ],
  },
  'session.rename': { device: 'text' },
  'session.revoke': { revoked: ['text'] },
  'certificate.issue': {
    id: 'text',
    certificate: 'text',
    authority: 'text',
    expires_at: 'text',
    renewed: 'flag',
  },
  'certificate.add': certificate,
  'certificate.list': {
    certificates: [{ ...certificate, current: 'flag' }],
  },
  'certificate.revoke': { ended_sessions: ['text'] },
  'session.issue-csrf-token': { csrf_token: 'text' },
  'conversation.mark-read': { to: 'text', read_seq: 'number' },
  'conversation.list': { conversations: [{ to: 'text', last_seq: 'number', read_seq: 'number' }] },
  'room.create': { room: 'text' },
  'room.join': { room: 'text', joined: 'flag' },
  'room.leave': { room: 'text' },
  'room.list': {
    rooms: [{ room: 'text', members: 'number', member: 'flag', last_seq: 'number' }],
    'next*': 'text',
  },
  'room.members': { members: [person], 'next*': 'text' },
  'user.list': { users: [person], 'next*': 'text' },
  'admin.claim': { username: 'text' },
  'admin.users': {
    users: [
      {
        user_id: 'text',
        username: 'text',
        'email*': 'text',
        privacy: 'text',
        admin: 'flag',
        'disabled_at*': 'text',
        'erases_at*': 'text',
        created_at: 'text',
        online: 'flag',
      },
    ],
    'next*': 'text',
  },
  'admin.audit': {
    rows: [
      {
        seq: 'number',
        at: 'text',
        operation: 'text',
        'user*': 'text',
        'door*': 'text',
        'factor*': 'text',
        'address*': 'text',
        outcome: 'text',
        'details*': 'text',
        hash: 'text',
      },
    ],
    'next*': 'number',
    ends: { start: end, head: end, sealed: 'flag' },
  },
  'admin.create-invite': {
    id: 'text',
    code: 'text',
    uses: 'number',
    expires_at: 'text',
    registration: 'text',
  },
  'admin.invites': {
    invites: [
      {
        id: 'text',
        'by*': 'text',
        created_at: 'text',
        expires_at: 'text',
        uses: 'number',
        uses_left: 'number',
      },
    ],
    'next*': 'text',
  },
  'admin.certificates': { certificates: [certificate] },
  'admin.revoke-certificate': { ended_sessions: ['text'] },
  'admin.stats': {
    version: 'text',
    node: 'text',
    started_at: 'text',
    uptime_s: 'number',
    'node_id?': 'text',
    'store?': 'text',
    'store_up?': 'flag',
    'store_connections?': 'number',
    'store_waiting?': 'number',
    'bus_up?': 'flag',
    'bus_peers?': 'number',
    connections: 'number',
    doors: [{ door: 'text', tls: 'flag', connections: 'number' }],
    logged_in: 'number',
    online: 'number',
    accounts: 'number',
    disabled: 'number',
    sessions: 'number',
    rooms: 'number',
    direct_conversations: 'number',
    messages: 'number',
    messages_last_minute: 'number',
    messages_last_hour: 'number',
    deliveries: 'number',
    lagging: 'number',
    queued_bytes: 'number',
    database_bytes: 'number',
    log_bytes: 'number',
    'checkpoint_at*': 'text',
    'sync_p50_ms*': 'number',
    'sync_p99_ms*': 'number',
    store_queue: 'number',
    index_lag: 'number',
    passwords_waiting: 'number',
    mails_waiting: 'number',
    audit_waiting: 'number',
    memory_bytes: 'number',
    heap_bytes: 'number',
    loop_delay_p50_ms: 'number',
    loop_delay_p99_ms: 'number',
    'disk_free_bytes*': 'number',
    'backup_at*': 'text',
    certificate_expires_at: 'text',
    warnings: ['text'],
  },
  'admin.backup': { name: 'text', bytes: 'number', sha256: 'text' },
  'admin.check': { 'name*': 'text', bytes: 'number', format: 'number', faults: ['text'] },
  'keys.publish': { seq: 'number' },
  'keys.backup': { version: 'number' },
  'keys.restore': {
    backup: { contents: 'text', recovery_wrap: 'text', 'password_wrap?': 'text' },
    version: 'number',
  },
};

/** Throws {@link BadFrame} naming a member that is missing or of another kind than the operation answers; more than that may be there. */
export function checkAnswer(name: OperationName, answer: unknown): void {
  const shape = answerShapes[name];
  if (shape !== undefined) checkMembers(shape, objectIn(answer, 'an answer'));
}

function checkMembers(shape: Shape, fields: Readonly<Record<string, unknown>>): void {
  for (const [marked, wanted] of Object.entries(shape)) {
    const [, name = '', isNullable, isOptional] = /^([^*?]*)(\*?)(\??)$/.exec(marked) ?? [];
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if ((isOptional && value === undefined) || (isNullable && value === null)) continue;
    if (!fits(wanted, value)) throw new BadFrame(`a wrong ${name}`);
  }
}

/** Whether a value is of a kind; throws for a member within it. */
function fits(shape: Shape, value: unknown): boolean {
  if (shape === 'text') return typeof value === 'string';
  if (shape === 'number') return typeof value === 'number';
  if (shape === 'flag') return typeof value === 'boolean';
  if (typeof value !== 'object' || value === null) return false;
  if (isList(shape)) return Array.isArray(value) && value.every((item) => fits(shape[0], item));
  if (Array.isArray(value)) return false;
  if (shape !== 'object') checkMembers(shape, value as Readonly<Record<string, unknown>>);
  return true;
}

function isList(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape);
}
