import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Campaign, CommandLine } from './campaign.ts';
import { floodAttacks } from './floods.ts';
import { removeScratch, scratchDirectory } from './leavings.ts';
import { acknowledgedOf, Ledger, sendLoad } from './load.ts';
import { nonsenseAttacks } from './nonsense.ts';
import { oversizeAttacks } from './oversize.ts';
import { shortWaits } from './peers/peer-campaign.ts';
import { signUpSender } from './people.ts';
import type { Sent } from './promises.ts';
import { pick, seeded } from './random.ts';
import { Reader } from './reader.ts';
import { mustStart, type ServerProcess } from './server-process.ts';
import { slowAttacks } from './slow-peers.ts';
import { attach, requireStrace } from './strace.ts';

/** What the rounds share. */
interface Field {
  readonly command: CommandLine;
  readonly data: string;
  readonly random: () => number;
  readonly token: string;
  readonly reader: Reader;
  server: ServerProcess;
}

/** What happens in a round, one after the other while everybody goes on. */
const faultsPerRound = 3;
/** Messages of a round at most, so that looking at all of them stays short. */
const mostMessages = 1_000;
/** Between two faults all is well for so long, in milliseconds. */
const calmMs = 150;

const attacks = [slowAttacks, oversizeAttacks, nonsenseAttacks, floodAttacks].flatMap((each) =>
  Object.values(each),
);

const faults: Readonly<Record<string, (field: Field) => Promise<void>>> = {
  async 'kill -9'(field) {
    await field.server.kill();
    await startAgain(field);
  },
  async 'an end in order'(field) {
    await field.server.kill('SIGTERM');
    await startAgain(field);
  },
  async 'a full disk'({ server, random }) {
    const { detach } = await attach(server.pid, [{ calls: ['pwrite64'], what: 'error=ENOSPC' }]);
    await delay(50 + random() * 300);
    await detach();
  },
  async 'a failed sync'(field) {
    const { detach } = await attach(field.server.pid, [
      { calls: ['fdatasync'], what: 'error=EIO', when: '1' },
    ]);
    await Promise.race([field.server.ended, delay(5_000)]);
    await field.server.kill();
    await detach();
    await startAgain(field);
  },
  async 'a slow reader'({ reader, random }) {
    reader.pause();
    await delay(random() * 500);
    reader.resume();
  },
  async 'bad peers'({ server, random, token }) {
    const { act } = pick(attacks, random);
    // What it comes to is another campaign's.
    await act({ server, random, token });
  },
};

/**
 * Everything at once: while senders and a reader go on and connect again whenever they have to, the server is killed, ended and started
 * again, its disk is full or fails, readers are slow and peers are bad. One data directory over all rounds.
 */
export const soak: Campaign = {
  about: 'kills, full disks, failed syncs, slow readers and bad peers, mixed, while clients connect again',
  trials: 500,
  kinds: Object.keys(faults),
  async run({ trials, seed, server: command, only = '', onTrial }) {
    requireStrace();
    const random = seeded(seed);
    const directory = scratchDirectory('soak');
    const data = join(directory, 'data');
    const server = await mustStart({ command, data, env: shortWaits });
    const token = await signUpSender(server.port);
    const broken: string[] = [];
    let acknowledged = 0;
    const { port } = server;
    const field: Field = { command, data, random, token, server, reader: new Reader(token, () => port) };
    try {
      await field.reader.start();
      const ledger = new Ledger();
      const kinds = Object.entries(faults).filter(([name]) => name.includes(only));
      for (let trial = 1; trial <= trials; trial++) {
        const stop = new AbortController();
        const served = Promise.withResolvers<void>();
        const course = { label: `${trial}`, seed: seed + trial, onAcknowledged: served.resolve };
        const sending = keepSending(field, course, stop.signal);
        await served.promise;
        const names: string[] = [];
        for (let n = 0; n < faultsPerRound; n++) {
          await delay(calmMs);
          const [name, fault] = pick(kinds, random);
          names.push(name);
          await fault(field);
        }
        await delay(calmMs);
        stop.abort();
        const sent = await sending;
        const found = await ledger.check(port, token, sent);
        found.push(...(await field.reader.check()).map((sentence) => `the reader: ${sentence}`));
        acknowledged += acknowledgedOf(sent);
        const where = `trial ${trial}, ${names.join(', ')}`;
        broken.push(...found.map((sentence) => `${where}: ${sentence}`));
        onTrial?.(`${where}: ${acknowledgedOf(sent)} acknowledged, ${found.length} failures`);
      }
    } finally {
      await field.reader.close();
      await field.server.kill();
      removeScratch(directory);
    }
    return { trials, counts: { 'messages acknowledged': acknowledged }, broken };
  },
};

/** At the same address: clients find it again. */
async function startAgain(field: Field): Promise<void> {
  const { command, data, server } = field;
  field.server = await mustStart({ command, data, port: server.port, env: shortWaits });
}

/** Sends over as many connections as it takes. */
async function keepSending(
  field: Field,
  { label, seed, onAcknowledged }: { label: string; seed: number; onAcknowledged: () => void },
  signal: AbortSignal,
): Promise<Sent[]> {
  const random = seeded(seed);
  const sent: Sent[] = [];
  for (let n = 1; !signal.aborted; n++) {
    const { token, server } = field;
    const messages = mostMessages - sent.length;
    if (messages > 0) {
      const load = { port: server.port, token, label: `${label}-${n}`, random, window: 4, messages, signal };
      const round = await sendLoad({ ...load, onAcknowledged });
      // Each connection is a sender of its own, whose order is kept.
      sent.push(...round.map((message) => ({ ...message, sender: n * 100 + message.sender })));
    }
    await delay(20);
  }
  return sent;
}
