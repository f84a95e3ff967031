/**
 * `tsx scripts/campaigns/envelopes.ts [--count 100000]`: seals so many messages as a client does, and looks whether any two have a key
 * and a nonce in common (ASVS 11.3.4), or anything else that is drawn for each. Ends with 1 when they have.
 */
import { parseArgs } from 'node:util';
import { newSecretKeys } from '../../src/core/e2ee/account-keys.ts';
import { readEnvelope, sealMessage } from '../../src/core/e2ee/envelope.ts';
import { noRecord, signKeyRecord } from '../../src/core/e2ee/key-record.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { uuidV7 } from '../../src/core/random.ts';

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

/** Seals `count` times the same text from one account to another, and counts what was there before. */
export async function envelopesCampaign(count: number): Promise<Repeated> {
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
  }
  return repeated;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { count: { type: 'string', default: '100000' } } });
  const count = Number(values.count);
  const repeated = Object.entries(await envelopesCampaign(count));
  for (const [kind, times] of repeated) console.log(`a ${kind} came again: ${times} times`);
  console.log(
    `envelopes: ${count} sealed, ${repeated.length === 0 ? 'no key and no nonce came twice' : 'keys or nonces came twice'}`,
  );
  process.exitCode = repeated.length === 0 ? 0 : 1;
}
