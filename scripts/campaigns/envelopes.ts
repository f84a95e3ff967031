/**
 * `npx tsx scripts/campaigns/envelopes.ts [--count 100000]`: seals so many messages as a client does, and looks whether any two have a key
 * and a nonce in common (ASVS 11.3.4), or anything else that is drawn for each. Ends with 1 when they have.
 */
import { parseArgs } from 'node:util';
import { newSecretKeys } from '../../src/core/e2ee/account-keys.ts';
import { readEnvelope, sealMessage } from '../../src/core/e2ee/envelope.ts';
import { noRecord, signKeyRecord } from '../../src/core/e2ee/key-record.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { uuidV7 } from '../../src/core/random.ts';

const { values } = parseArgs({ options: { count: { type: 'string', default: '100000' } } });
const count = Number(values.count);

function account(name: string) {
  const secrets = newSecretKeys();
  const user = parseUsername(name);
  const realm = 'campaign.example';
  const record = signKeyRecord({ realm, user, seq: 1, previous: noRecord(), epoch: 1, at: 1 }, secrets);
  return { secrets, record };
}

const [alice, bob] = [account('alice'), account('bob')];
/** By what it is: a commitment stands for its content key, and an encapsulated key for the key that a wrap is sealed with. */
const seen = { commitment: new Set<string>(), nonce: new Set<string>(), encapsulated: new Set<string>() };
let repeated = 0;

function note(kind: keyof typeof seen, bytes: Uint8Array): void {
  const text = Buffer.from(bytes).toString('latin1');
  if (seen[kind].has(text)) {
    repeated += 1;
    console.error(`a ${kind} came twice`);
  }
  seen[kind].add(text);
}

for (let sealed = 0; sealed < count; sealed++) {
  const envelope = readEnvelope(
    await sealMessage('the same text', { id: uuidV7(), at: Date.now() }, alice, bob.record),
  );
  if (!envelope) throw new Error('no envelope');
  note('commitment', envelope.commitment);
  note('nonce', envelope.nonce);
  note('encapsulated', envelope.toSender.enc);
  note('encapsulated', envelope.toRecipient.enc);
}
console.log(`${count} envelopes: ${repeated === 0 ? 'nothing came twice' : `${repeated} came twice`}`);
process.exitCode = repeated === 0 ? 0 : 1;
