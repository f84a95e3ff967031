import {
  type EnvelopeContext,
  type EnvelopeFault,
  faultOf,
  openEnvelope,
  readEnvelope,
  sealMessage,
} from '../../core/e2ee/envelope.ts';
import { currentKeys } from '../../core/e2ee/key-backup.ts';
import type { SignedKeyRecord } from '../../core/e2ee/key-record.ts';
import { ChatError } from '../../core/errors.ts';
import type { Username } from '../../core/model/username.ts';
import { uuidV7 } from '../../core/random.ts';
import type { WireMessage } from '../frames.ts';
import type { KeyFile } from './key-file.ts';
import type { FoundRecord, KnownKeys } from './known-keys.ts';

/** What a reader is told of an encrypted message: its text, or why it is shown as failed; never a text that did not hold. */
export type OpenedMessage =
  | {
      readonly kind: 'text';
      readonly text: string;
      readonly isVerified: boolean;
      /** True when it was sealed for keys of this account from before its newest, well after those had come. */
      readonly isStale: boolean;
    }
  /**
   * Its text is not shown, and its server is not to blame: it is sealed for keys of this account that are not here, `newer` ones or such as
   * were `lost`; or signed by an identity that its sender has `replaced`.
   */
  | { readonly kind: 'locked'; readonly by: 'newer' | 'lost' | 'replaced' }
  | { readonly kind: 'failed'; readonly why: string };

/** A text in its envelope. */
export interface SealedText {
  readonly envelope: string;
  /** True when its sender has compared the keys that it is sealed for. */
  readonly isVerified: boolean;
}

/** Seals and opens private messages of one account on one server. */
export interface PrivateMessages {
  /** An envelope for `to` around `text`; undefined when `to` has no keys. Throws what {@link KnownKeys.newest} throws. */
  seal(to: Username, text: string): Promise<SealedText | undefined>;
  /** Opens a message's envelope; `unavailable` and the like are thrown, for then nothing is known of the message. */
  open(message: WireMessage & { readonly envelope: string }): Promise<OpenedMessage>;
}

/** How far a sender's clock and the server's may be apart: an envelope beyond it is an old one shown as new. */
const maxApartMs = 24 * 3_600_000;

/** How far the clocks of two honest clients may be apart before a message counts as sealed for keys of before. */
const clocksApartMs = 10 * 60_000;

/** How long keys that were asked for are taken for the newest: as long may a message still be sealed for the epoch before. */
const newestGoodForMs = 5_000;

/** So many envelopes are remembered, of those opened last: a reader may run for months, and each takes 200 bytes. */
const mostSeen = 50_000;

const faults: Readonly<Record<EnvelopeFault, string>> = {
  malformed: 'it is no envelope that this client knows',
  'wrong-conversation': 'it was written for another conversation, or by another account',
  'wrong-record': 'the keys shown for it are not the ones it names',
  'bad-signature': 'its sender has not signed it',
  'wrong-key': 'it is sealed for other keys than the ones here',
  'bad-commitment': 'its key is not the one that was signed',
  damaged: 'it was changed on its way',
  'no-text': 'what is in it is no text that a message may have',
};

/** Builds them over the account's keys on this device. */
export function createPrivateMessages(own: KeyFile, known: KnownKeys): PrivateMessages {
  const { record, ring } = own;
  const { user: self, realm } = record;
  /** Where an envelope was seen, by its sender and the id that it gave, the oldest first: under another message it is a replay. */
  const seen = new Map<string, string>();

  function see(envelope: string, message: string): void {
    seen.set(envelope, message);
    const [oldest] = seen.size > mostSeen ? seen.keys() : [];
    if (oldest !== undefined) seen.delete(oldest);
  }

  /** Whose newest keys were asked for, and when: a stream of messages does not ask for each. */
  const asked = new Map<Username, { readonly at: number; readonly record: SignedKeyRecord }>();

  async function newestOf(user: Username): Promise<SignedKeyRecord | undefined> {
    const before = asked.get(user);
    if (before && Date.now() - before.at < newestGoodForMs) return before.record;
    const found = await known.newest(user);
    if (found) asked.set(user, { at: Date.now(), record: found });
    return found;
  }

  /** The secret key that came with a record of this account's. */
  function secretOf(seq: number): Uint8Array | undefined {
    return ring.encryption.findLast((key) => key.seq <= seq)?.secret;
  }

  /** Whether its sender was not shown this account's newest keys: by a server that keeps them back, or a program that does not ask. */
  function isStale({ sender, recipientSeq, at }: EnvelopeContext): boolean {
    if (sender === self || recipientSeq >= record.seq) return false;
    return at > record.at + newestGoodForMs + clocksApartMs;
  }

  return {
    async seal(to, text) {
      const recipient = to === self ? record : await newestOf(to);
      if (!recipient) return undefined;
      const message = { id: uuidV7(), at: Date.now() };
      const isVerified = await known.isVerified(to);
      try {
        const envelope = await sealMessage(text, message, { record, secrets: currentKeys(ring) }, recipient);
        return { envelope, isVerified };
      } catch (cause) {
        throw new ChatError('untrusted', `nothing can be encrypted for the keys that ${to} has published`, {
          cause,
        });
      }
    },
    async open({ to, sender: name, sent_at: sentAt, id, envelope: sealed }) {
      const envelope = readEnvelope(sealed);
      if (!envelope) return failed('malformed');
      const { context } = envelope;
      const peer = to.slice(1) as Username;
      const from = name as Username;
      if (!to.startsWith('@') || (from !== self && from !== peer)) return failed('wrong-conversation');
      // Not by the id alone, which a peer could take from a message of somebody else's.
      const envelopeId = `${context.sender} ${context.id}`;
      const place = seen.get(envelopeId) ?? id;
      if (place !== id || Math.abs(Date.parse(sentAt) - context.at) > maxApartMs) {
        return {
          kind: 'failed',
          why: 'it was seen before, or its time is not that of the message: a replay',
        };
      }
      // What one has sent under an identity that was lost nobody can open, and nobody can check who it is from.
      if (from === self && context.senderSeq < (ring.encryption[0]?.seq ?? 1))
        return { kind: 'locked', by: 'lost' };
      const sender = await recordOf(from, context.senderSeq);
      if (typeof sender === 'string') return { kind: 'failed', why: sender };
      const found = {
        realm,
        sender: from,
        recipient: from === self ? peer : self,
        senderRecord: sender.record,
      };
      const ownSeq = from === self ? context.senderSeq : context.recipientSeq;
      const isForNewer = ownSeq > record.seq;
      const secret = secretOf(ownSeq);
      // Who has signed for keys that are not here is believed that there are such; nobody else is.
      if (sender.isReplaced || isForNewer || !secret) {
        const by = sender.isReplaced ? 'replaced' : isForNewer ? 'newer' : 'lost';
        const fault = await faultOf(envelope, found);
        return fault === undefined ? { kind: 'locked', by } : failed(fault);
      }
      const opened = await openEnvelope(envelope, { ...found, user: self, secrets: { encryption: secret } });
      if (!opened.ok) return failed(opened.fault);
      see(envelopeId, id);
      return {
        kind: 'text',
        text: opened.text,
        isVerified: await known.isVerified(peer),
        isStale: isStale(context),
      };
    },
  };

  /** The record that an envelope names, or why there is none to believe. */
  async function recordOf(user: Username, seq: number): Promise<FoundRecord | string> {
    try {
      const isNewest = user === self && seq === record.seq;
      return isNewest ? { record, isReplaced: false } : await known.ofNumber(user, seq);
    } catch (error) {
      if (error instanceof ChatError && (error.code === 'untrusted' || error.code === 'not-found'))
        return error.message;
      throw error;
    }
  }
}

function failed(fault: EnvelopeFault): OpenedMessage {
  return { kind: 'failed', why: faults[fault] };
}
