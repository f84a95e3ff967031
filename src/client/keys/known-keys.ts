import { equalDigests } from '../../core/crypto/bytes.ts';
import type { SignedKeyRecord } from '../../core/e2ee/key-record.ts';
import { ChatError } from '../../core/errors.ts';
import type { Username } from '../../core/model/username.ts';
import type { Caller } from '../connection.ts';
import { fetchRecord } from './fetch-record.ts';
import type { KeyFile, KeyStore } from './key-file.ts';
import { isIdentity, judgeRecord, type Pin, pinOfRecord, type RefusedKind, refusalText } from './pin.ts';

/** A record that a message was signed under. */
export interface FoundRecord {
  readonly record: SignedKeyRecord;
  /** True when the identity that is known here has come after this one's: whoever has the old keys can still sign with them. */
  readonly isReplaced: boolean;
}

/** Other accounts' keys, as far as this client believes them (security 5). */
export interface KnownKeys {
  /**
   * The record that a message to `user` is sealed for now, newly asked for; it is remembered. Undefined when that account has no keys
   * and none of its were ever seen here. `not-found` for a name that nobody has, `untrusted` when they are not the ones that are
   * known here.
   */
  newest(user: Username): Promise<SignedKeyRecord | undefined>;
  /** The record of a number that an old message was signed under; `untrusted` for one of an identity that was never the account's. */
  ofNumber(user: Username, seq: number): Promise<FoundRecord>;
  /** True when two people have compared these keys; one's own are. */
  isVerified(user: Username): Promise<boolean>;
}

/** What is remembered is read again when it is older, in milliseconds: other processes change it too, as `chat keys verify` does. */
const readGoodForMs = 5_000;

/** Asks a server for keys, and believes of its answers what fits to what is remembered in `store`. */
export function createKnownKeys(connection: Caller, own: KeyFile, store: KeyStore): KnownKeys {
  const self = own.record.user;
  const withOwn = (others: KeyFile['pins']) => new Map(others).set(self, pinOfRecord(own.record));
  let pins = withOwn(own.pins);
  let readAt = Date.now();
  /** Each record is asked for once: it never changes. */
  const fetched = new Map<string, Promise<SignedKeyRecord | undefined>>();

  async function readAgain(): Promise<void> {
    const file = await store.load();
    readAt = Date.now();
    if (file) pins = withOwn(file.pins);
  }

  async function pinOf(user: Username): Promise<Pin | undefined> {
    if (Date.now() - readAt >= readGoodForMs) await readAgain();
    return pins.get(user);
  }

  async function fetch(user: Username, seq?: number): Promise<SignedKeyRecord | undefined> {
    const { record } = await fetchRecord(connection, user, seq);
    if (!record) return undefined;
    if (
      record.user !== user ||
      record.realm !== own.record.realm ||
      (seq !== undefined && record.seq !== seq)
    ) {
      throw untrusted(`the server shows keys of ${user} that are not the ones asked for`);
    }
    return record;
  }

  async function fetchOnce(user: Username, seq: number): Promise<SignedKeyRecord> {
    const key = `${user} ${seq}`;
    const asked = fetched.get(key) ?? fetch(user, seq);
    fetched.set(key, asked);
    // A failed call is made again the next time.
    asked.catch(() => fetched.delete(key));
    const record = await asked;
    if (!record) throw untrusted(`the server shows no keys of ${user}, who signs with some`);
    return record;
  }

  /** Each record names the one before it, up to one that the identity of the pin has signed: so the account itself says whose it was. */
  async function isReplacedBy(pin: Pin, old: SignedKeyRecord): Promise<boolean> {
    for (let before = old; before.seq < pin.seq; ) {
      const next = await fetchOnce(old.user, before.seq + 1);
      if (!equalDigests(next.previous, before.digest)) return false;
      if (isIdentity(pin, next)) return true;
      before = next;
    }
    return false;
  }

  return {
    async isVerified(user) {
      return user === self || ((await pinOf(user))?.isVerified ?? false);
    },
    async newest(user) {
      const record = await fetch(user);
      const known = await pinOf(user);
      if (!record) {
        if (known) throw untrusted(`the server shows no keys of ${user} any more, who had some`);
        return undefined;
      }
      let judged = judgeRecord(known, record);
      if (judged.kind !== 'known') {
        // A person may have trusted them a moment ago.
        await readAgain();
        judged = judgeRecord(pins.get(user), record);
        if (judged.kind !== 'known') throw refused(judged.kind, user);
      }
      if (judged.pin !== pins.get(user)) {
        pins.set(user, judged.pin);
        await store.update((file) => {
          const kept = file ?? own;
          // Another process may have seen a newer one meanwhile.
          const again = judgeRecord(kept.pins.get(user), record);
          if (again.kind === 'older') return kept;
          if (again.kind !== 'known') throw refused(again.kind, user);
          return { ...kept, pins: new Map(kept.pins).set(user, again.pin) };
        });
      }
      return record;
    },
    async ofNumber(user, seq) {
      const record = await fetchOnce(user, seq);
      // An old message is the first that is seen of this account: it is known by its newest record.
      if (!(await pinOf(user))) await this.newest(user);
      for (let hasReadAgain = false; ; hasReadAgain = true) {
        const pin = pins.get(user);
        if (pin && isIdentity(pin, record)) return { record, isReplaced: false };
        if (pin && (await isReplacedBy(pin, record))) return { record, isReplaced: true };
        if (hasReadAgain) {
          if (!pin || record.seq > pin.seq) throw refused('changed', user);
          throw untrusted(`the server shows an identity key of ${user} that was never the one known here`);
        }
        await readAgain();
      }
    },
  };
}

function refused(kind: RefusedKind, user: string): ChatError {
  const advice = kind === 'changed' ? `: chat trust ${user} shows what to compare before it is trusted` : '';
  return untrusted(`${refusalText[kind](user)}${advice}`);
}

function untrusted(why: string): ChatError {
  return new ChatError('untrusted', why);
}
