import { setImmediate } from 'node:timers/promises';
import { newSecretKeys } from '../../src/core/e2ee/account-keys.ts';
import { readEnvelope, sealMessage } from '../../src/core/e2ee/envelope.ts';
import { noRecord, signKeyRecord } from '../../src/core/e2ee/key-record.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { uuidV7 } from '../../src/core/random.ts';
import type { Campaign } from './campaign.ts';

/** What is drawn for each envelope: a commitment stands for its content key, an encapsulated key for the key that a wrap is sealed with. */
export type Drawn = 'commitment' | 'nonce' | 'encapsulated key';

/** How many of what is drawn came a second time, by what it is; nothing where all were new. */
export type Repeated = Readonly<Partial<Record<Drawn, number>>>;

function account(name: string) {
  const secrets = newSecretKeys();
  const user = parseUsername(name);
  const realm = 'campaign.example';
  const record = signKeyRecord({ realm, user, seq: 1, previous: noRecord(), epoch: 1, at: 1 }, secrets);
  return { secrets, record };
}

/** After so many envelopes it is told how many there are. */
const toldEach = 1_000;

/** Seals `count` times the same text from one account to another, and counts what was there before; `onSealed` is told now and then how many more. */
export async function envelopesCampaign(count: number, onSealed?: (more: number) => void): Promise<Repeated> {
  const [alice, bob] = [account('alice'), account('bob')];
  const seen = new Map<Drawn, Set<string>>();
  const repeated: Partial<Record<Drawn, number>> = {};

  function note(kind: Drawn, bytes: Uint8Array): void {
    const before = seen.get(kind) ?? new Set();
    const text = Buffer.from(bytes).toString('latin1');
    if (before.has(text)) repeated[kind] = (repeated[kind] ?? 0) + 1;
    seen.set(kind, before.add(text));
  }

  for (let sealed = 0; sealed < count; sealed++) {
    const message = { id: uuidV7(), at: Date.now() };
    const envelope = readEnvelope(await sealMessage('the same text', message, alice, bob.record));
    if (!envelope) throw new Error('what was sealed is no envelope');
    note('commitment', envelope.commitment);
    note('nonce', envelope.nonce);
    note('encapsulated key', envelope.toSender.enc);
    note('encapsulated key', envelope.toRecipient.enc);
    if ((sealed + 1) % toldEach !== 0) continue;
    onSealed?.(toldEach);
    // Whoever interrupts it is heard.
    await setImmediate();
  }
  return repeated;
}

/** Seals so many messages as there are trials, as a client does, and looks whether any two have a key and a nonce in common (ASVS 11.3.4). */
export const envelopes: Campaign = {
  about: 'seals messages and looks for a key or a nonce that comes twice',
  trials: 100_000,
  // What is drawn is the system's own chance, as a client's is: no seed decides it.
  isSeedless: true,
  async run({ trials, onTrial }) {
    let sealed = 0;
    const told = (more: number): void => {
      sealed += more;
      onTrial?.(`${sealed.toLocaleString('en')} sealed`, more);
    };
    const repeated = Object.entries(await envelopesCampaign(trials, told));
    return {
      trials,
      counts: {},
      broken: repeated.map(([kind, times]) => `a ${kind} came again: ${times} times`),
    };
  },
};
