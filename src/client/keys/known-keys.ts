import type { SignedKeyRecord } from '../../core/e2ee/key-record.ts';
import { ChatError } from '../../core/errors.ts';
import type { Username } from '../../core/model/username.ts';
import type { Caller } from '../connection.ts';
import { fetchRecord } from './fetch-record.ts';
import type { KeyFile, KeyStore } from './key-file.ts';
import { isIdentity, type Judgement, judgeRecord, pinOfRecord } from './pin.ts';

/** Other accounts' keys, as far as this client believes them (security 5). */
export interface KnownKeys {
  /**
   * The record that a message to `user` is sealed for now, newly asked for; it is remembered. Undefined when that account has no keys
   * and none of its were ever seen here. `not-found` for a name that nobody has, `untrusted` when they are not the ones that are
   * known here.
   */
  newest(user: Username): Promise<SignedKeyRecord | undefined>;
  /** The record of a number that an old message was signed under; `untrusted` when another identity has signed it. */
  ofNumber(user: Username, seq: number): Promise<SignedKeyRecord>;
  /** True when two people have compared these keys; one's own are. */
  isVerified(user: Username): boolean;
}

const refusals: Readonly<Record<Exclude<Judgement['kind'], 'known'>, (user: string) => string>> = {
  changed: (user) =>
    `${user} has another identity key than the one known here: chat trust ${user} shows what to compare before it is trusted`,
  older: (user) => `the server shows older keys of ${user} than it has shown before`,
  forked: (user) => `the server shows other keys of ${user} than it has shown before under the same number`,
};

/** Asks a server for keys, and believes of its answers what fits to what is remembered in `store`. */
export function createKnownKeys(connection: Caller, own: KeyFile, store: KeyStore): KnownKeys {
  const pins = new Map(own.pins).set(own.record.user, pinOfRecord(own.record));
  /** Each record is asked for once: it never changes. */
  const fetched = new Map<string, Promise<SignedKeyRecord | undefined>>();

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

  return {
    isVerified: (user) => user === own.record.user || (pins.get(user)?.isVerified ?? false),
    async newest(user) {
      const record = await fetch(user);
      const known = pins.get(user);
      if (!record) {
        if (known) throw untrusted(`the server shows no keys of ${user} any more, who had some`);
        return undefined;
      }
      const judged = judgeRecord(known, record);
      if (judged.kind !== 'known') throw untrusted(refusals[judged.kind](user));
      if (judged.pin !== known) {
        pins.set(user, judged.pin);
        await store.update((file) => {
          const kept = file ?? own;
          // Another process may have seen a newer one meanwhile.
          const again = judgeRecord(kept.pins.get(user), record);
          if (again.kind === 'older') return kept;
          if (again.kind !== 'known') throw untrusted(refusals[again.kind](user));
          return { ...kept, pins: new Map(kept.pins).set(user, again.pin) };
        });
      }
      return record;
    },
    async ofNumber(user, seq) {
      const key = `${user} ${seq}`;
      const asked = fetched.get(key) ?? fetch(user, seq);
      fetched.set(key, asked);
      // A failed call is made again the next time.
      asked.catch(() => fetched.delete(key));
      const record = await asked;
      if (!record) throw untrusted(`the server shows no keys of ${user}, who signs with some`);
      let pin = pins.get(user);
      if (!pin) {
        // An old message is the first that is seen of this account: it is known by its newest record.
        await this.newest(user);
        pin = pins.get(user);
      }
      if (!pin || !isIdentity(pin, record)) throw untrusted(refusals.changed(user));
      return record;
    },
  };
}

function untrusted(why: string): ChatError {
  return new ChatError('untrusted', why);
}
