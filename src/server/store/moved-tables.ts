import type { Schema } from './schema.ts';

/** What a column holds: `either` is text in one row and bytes in another, or bytes in every row of a database that has no such column. */
export type ColumnKind = 'text' | 'integer' | 'bytes' | 'either';

type KindOf<Value> = [NonNullable<Value>] extends [number]
  ? 'integer'
  : [NonNullable<Value>] extends [string]
    ? 'text'
    : [NonNullable<Value>] extends [Uint8Array]
      ? 'bytes'
      : 'either';

interface Described<Name extends keyof Schema> {
  /** Every column there is, in the order in which a row is spelled. */
  readonly columns: { readonly [Column in keyof Schema[Name] & string]: KindOf<Schema[Name][Column]> };
  /** The primary key, in whose order the rows go. */
  readonly key: readonly (keyof Schema[Name] & string)[];
}

/** Tables that stay behind: what they hold is made anew of the others. */
type LeftTable = 'search_parts';

/** A table that moves from one store to another. */
export type MovedName = Exclude<keyof Schema, LeftTable>;

/**
 * Every table that moves, those that others refer to first. A new column or table does not compile before it stands here, and what moves is
 * spelled by this alone: whoever changes it makes another version of the manifest.
 */
const described: { readonly [Name in MovedName]: Described<Name> } = {
  settings: { columns: { name: 'text', value: 'either' }, key: ['name'] },
  users: {
    columns: {
      id: 'text',
      username: 'text',
      email: 'text',
      email_key: 'text',
      email_verified_at: 'integer',
      privacy: 'text',
      is_admin: 'integer',
      disabled_at: 'integer',
      factor_taken_at: 'integer',
      created_at: 'integer',
      erases_at: 'integer',
      erased_at: 'integer',
    },
    key: ['id'],
  },
  credentials: {
    columns: {
      user_id: 'text',
      suite: 'text',
      salt: 'bytes',
      cost: 'integer',
      stored_key: 'bytes',
      server_key: 'bytes',
    },
    key: ['user_id'],
  },
  invites: {
    columns: {
      id: 'text',
      code_hash: 'bytes',
      created_by: 'text',
      created_at: 'integer',
      expires_at: 'integer',
      uses: 'integer',
      uses_left: 'integer',
    },
    key: ['id'],
  },
  totp: {
    columns: {
      user_id: 'text',
      secret: 'bytes',
      begun_at: 'integer',
      confirmed_at: 'integer',
      last_step: 'integer',
    },
    key: ['user_id'],
  },
  recovery_codes: {
    columns: { user_id: 'text', number: 'integer', salt: 'bytes', hash: 'bytes' },
    key: ['user_id', 'number'],
  },
  certificates: {
    columns: {
      id: 'text',
      user_id: 'text',
      key_hash: 'bytes',
      kind: 'text',
      label: 'text',
      created_at: 'integer',
      expires_at: 'integer',
      last_used_at: 'integer',
      revoked_at: 'integer',
    },
    key: ['id'],
  },
  devices: {
    columns: { id: 'text', user_id: 'text', label: 'text', created_at: 'integer' },
    key: ['id'],
  },
  sessions: {
    columns: {
      id: 'text',
      user_id: 'text',
      device_id: 'text',
      token_hash: 'bytes',
      door: 'text',
      address: 'text',
      created_at: 'integer',
      last_used_at: 'integer',
      absolute_expires_at: 'integer',
      family_expires_at: 'integer',
      csrf_hash: 'bytes',
      certificate_id: 'text',
    },
    key: ['id'],
  },
  refresh_tokens: {
    columns: { hash: 'bytes', session_id: 'text', used_at: 'integer', next_hash: 'bytes' },
    key: ['hash'],
  },
  conversations: {
    columns: {
      id: 'integer',
      room: 'text',
      low_user_id: 'text',
      high_user_id: 'text',
      last_seq: 'integer',
      latest_at: 'integer',
      created_at: 'integer',
      expired_seq: 'integer',
    },
    key: ['id'],
  },
  members: {
    columns: { conversation_id: 'integer', user_id: 'text', read_seq: 'integer', joined_at: 'integer' },
    key: ['conversation_id', 'user_id'],
  },
  messages: {
    columns: {
      conversation_id: 'integer',
      seq: 'integer',
      id: 'text',
      sender_id: 'text',
      sent_at: 'integer',
      latest_at: 'integer',
      body: 'text',
      envelope: 'text',
      idempotency_key: 'text',
    },
    key: ['conversation_id', 'seq'],
  },
  codes: {
    columns: { hash: 'bytes', kind: 'text', user_id: 'text', email: 'text', expires_at: 'integer' },
    key: ['hash'],
  },
  erasures: { columns: { user_id: 'text', place: 'text' }, key: ['user_id'] },
  consents: {
    columns: { user_id: 'text', digest: 'text', accepted_at: 'integer', door: 'text' },
    key: ['user_id', 'digest'],
  },
  account_keys: {
    columns: { user_id: 'text', seq: 'integer', record: 'text', published_at: 'integer' },
    key: ['user_id', 'seq'],
  },
  key_backups: {
    columns: {
      user_id: 'text',
      version: 'integer',
      contents: 'text',
      recovery_wrap: 'text',
      password_wrap: 'text',
    },
    key: ['user_id'],
  },
  audit: {
    columns: {
      seq: 'integer',
      at: 'integer',
      operation: 'text',
      user: 'text',
      door: 'text',
      factor: 'text',
      address: 'text',
      outcome: 'text',
      details: 'text',
      hash: 'bytes',
    },
    key: ['seq'],
  },
  audit_ends: {
    columns: {
      one: 'integer',
      start_seq: 'integer',
      start_hash: 'bytes',
      head_seq: 'integer',
      head_hash: 'bytes',
      seal: 'bytes',
    },
    key: ['one'],
  },
};

/** A table that moves, as its rows are read, spelled and stored again. */
export interface MovedTable {
  readonly name: MovedName;
  readonly columns: readonly { readonly name: string; readonly kind: ColumnKind }[];
  readonly key: readonly string[];
}

/** Every table that moves, those that others refer to first. */
export const movedTables: readonly MovedTable[] = (Object.keys(described) as MovedName[]).map((name) => {
  const { columns, key } = described[name];
  return {
    name,
    columns: Object.entries<ColumnKind>(columns).map(([column, kind]) => ({ name: column, kind })),
    key,
  };
});

/** Settings that stay behind: `unscrubbed` says something of the files of an embedded store. */
export const leftSettings: readonly string[] = ['unscrubbed'];
