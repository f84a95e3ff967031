import { diffieHellman, generateKeyPairSync, sign, verify } from 'node:crypto';
import { newSecretKeys, publicKeysOf } from '../../src/core/e2ee/account-keys.ts';
import { openEnvelope, readEnvelope, sealMessage } from '../../src/core/e2ee/envelope.ts';
import { noRecord, signKeyRecord } from '../../src/core/e2ee/key-record.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { uuidV7 } from '../../src/core/random.ts';
import { type Figure, figureOf } from './figure.ts';
import { inTurn } from './rounds.ts';
import type { Course, Workload } from './workload.ts';

/** Of each, when nothing is said. */
const defaultSeconds = 0.3;
const realm = 'bench.example';
const text = 'x'.repeat(100);

/** An account with its first record. */
function account(name: string) {
  const secrets = newSecretKeys();
  const user = parseUsername(name);
  const record = signKeyRecord(
    { realm, user, seq: 1, previous: noRecord(), epoch: 1, at: Date.now() },
    secrets,
  );
  return { user, secrets, record };
}

async function rateOf(turn: () => unknown, seconds: number): Promise<number> {
  const start = performance.now();
  let done = 0;
  for (; performance.now() < start + seconds * 1_000; done++) await turn();
  return (done / (performance.now() - start)) * 1_000;
}

/** What cannot be left out, by the platform's own cryptography: key agreements and one signature, or its check. */
function floors() {
  const [alice, bob] = [generateKeyPairSync('x25519'), generateKeyPairSync('x25519')];
  const identity = generateKeyPairSync('ed25519');
  const message = Buffer.alloc(600);
  const signature = sign(null, message, identity.privateKey);
  const agree = () => diffieHellman({ privateKey: alice.privateKey, publicKey: bob.publicKey });
  return {
    seal() {
      for (let wrap = 0; wrap < 2; wrap++) {
        generateKeyPairSync('x25519');
        agree();
      }
      sign(null, message, identity.privateKey);
    },
    open() {
      agree();
      verify(null, message, identity.publicKey, signature);
    },
  };
}

/** Private messages of 100 characters sealed and opened one after the other, on one core, by whoever sends and reads them. */
export const seal: Workload = {
  name: 'seal',
  about: 'private messages sealed and opened, beside the key agreements and signatures they need',
  run,
};

async function run({ rounds, seconds = defaultSeconds }: Course): Promise<Figure[]> {
  const [alice, bob] = [account('alice'), account('bob')];
  const sealOne = () => sealMessage(text, { id: uuidV7(), at: Date.now() }, alice, bob.record);
  const sealed = await sealOne();
  async function openOne() {
    const envelope = readEnvelope(sealed);
    const opened =
      envelope &&
      (await openEnvelope(envelope, {
        user: bob.user,
        secrets: bob.secrets,
        realm,
        sender: alice.user,
        recipient: bob.user,
        senderRecord: alice.record,
      }));
    if (!opened?.ok) throw new Error('an envelope was not opened');
  }
  publicKeysOf(alice.secrets);
  const floor = floors();
  const turns = {
    sealFloor: () => rateOf(floor.seal, seconds),
    seal: () => rateOf(sealOne, seconds),
    openFloor: () => rateOf(floor.open, seconds),
    open: () => rateOf(openOne, seconds),
  };
  // What the programs compile at first is neither's.
  await inTurn(1, turns);
  const measured = await inTurn(rounds, turns);
  return [
    figureOf({
      name: 'private messages sealed, one core',
      unit: '/s',
      values: measured.seal,
      floor: { name: '2 X25519 and an Ed25519 signature', values: measured.sealFloor },
    }),
    figureOf({
      name: 'private messages opened, one core',
      unit: '/s',
      values: measured.open,
      floor: { name: 'X25519 and an Ed25519 check', values: measured.openFloor },
    }),
  ];
}
