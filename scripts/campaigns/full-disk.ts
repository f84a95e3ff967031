import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChatError } from '../../src/core/errors.ts';
import type { Campaign, CommandLine } from './campaign.ts';
import { mountSmall, removeScratch, scratchDirectory } from './leavings.ts';
import { acknowledgedOf, Ledger, sendLoad } from './load.ts';
import { becomeAdministrator, open, signUpSender } from './people.ts';
import type { Sent } from './promises.ts';
import { seededFor } from './random.ts';
import { clearRefusal, readingFailures, unclearRefusals } from './refusal.ts';
import { isReady, mustStart, type ServerProcess, startServer } from './server-process.ts';

const mebibyte = 1_048_576;
/** A server has so much room, in bytes; a new one takes half a mebibyte of it. */
const room = { min: 1.5 * mebibyte, max: 9 * mebibyte } as const;
/** Somebody else has so much, in bytes, who makes room in the end: enough for the whole log to go into the file. */
const ballastBytes = 6 * mebibyte;
/** What is sent until there is no room any more: enough for the largest. */
const flood = { messages: 2_000, size: 4_000, senders: 2, window: 8 } as const;

/** A server whose disk is full. */
interface Full {
  readonly command: CommandLine;
  readonly data: string;
  readonly token: string;
  server: ServerProcess;
}

/** What is done with the server while its disk is full; answers what is broken. */
const moments: Readonly<Record<string, (full: Full) => Promise<string[]>>> = {
  async 'goes on'({ server }) {
    return server.hasEnded ? [`the server ended: ${server.errors}`] : [];
  },
  async 'is killed, and starts while it is full'(full) {
    await full.server.kill();
    return await startFull(full);
  },
  async 'ends in order, and starts while it is full'(full) {
    const { code, signal, errors } = await full.server.kill('SIGTERM');
    const broken = code === 0 ? [] : [`it ended with ${code ?? signal}: ${errors}`];
    return [...broken, ...(await startFull(full))];
  },
  async 'is asked for a backup'({ server, data, token }) {
    const connection = await open(server.port, token);
    try {
      await connection.call('admin.backup', {});
      return ['the backup was answered as if it were made'];
    } catch (error) {
      if (!(error instanceof ChatError) || error.code !== 'unavailable')
        return [`the backup was refused with ${String(error)}`];
      const left = readdirSync(join(data, 'backups'));
      return left.length === 0 ? [] : [`left behind: ${left.join(', ')}`];
    } finally {
      await connection.close();
    }
  },
};

/**
 * Fills a real, small file system by sending, each time another one. Whoever is refused is told why and can read; the server goes on, ends
 * in order, or starts on the full disk or says why not; and as soon as somebody else makes room, everything goes on.
 */
export const fullDisk: Campaign = {
  about: 'fills a small file system, kills, ends, starts and backs up the server on it, and makes room again',
  trials: 100,
  kinds: Object.keys(moments),
  async run({ trials, seed, server: command, only = '', onTrial }) {
    if (!canMount())
      throw new Error('this campaign fills a small file system of its own: it has to be root, on Linux');
    const broken: string[] = [];
    let acknowledged = 0;
    const kinds = Object.entries(moments).filter(([name]) => name.includes(only));
    for (let trial = 1; trial <= trials; trial++) {
      const [kind, moment] = kinds[(trial - 1) % kinds.length] ?? [];
      if (!kind || !moment) throw new Error(`there is no moment called ${only}`);
      const bytes = roomOf(seed, trial);
      const random = seededFor(seed, `load ${trial}`);
      const { sent, broken: found } = await fillOnce({ command, bytes, random, moment });
      acknowledged += acknowledgedOf(sent);
      const where = `trial ${trial}, ${kind}, ${(bytes / mebibyte).toFixed(1)} MiB`;
      broken.push(...found.map((sentence) => `${where}: ${sentence}`));
      onTrial?.(`${where}: ${acknowledgedOf(sent)} acknowledged, ${found.length} failures`);
    }
    return { trials, counts: { 'messages acknowledged': acknowledged }, broken };
  },
};

/** How much room a trial's server has, in bytes: the seed's choice alone. */
export function roomOf(seed: number, trial: number): number {
  return Math.floor(room.min + seededFor(seed, `room ${trial}`)() * (room.max - room.min));
}

/** Whether this process may mount a file system (root on Linux). */
export function canMount(): boolean {
  const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
  // Root in a container may be kept from it.
  return isRoot && spawnSync('unshare', ['--mount', 'true']).status === 0;
}

/** It serves, or says in one sentence why it does not start. */
async function startFull(full: Full): Promise<string[]> {
  const { command, data } = full;
  const started = await startServer({ command, data });
  if (!isReady(started)) return clearRefusal(started);
  full.server = started;
  return await readingFailures(started.port, full.token);
}

/** A file system that is filled, and what is done then. */
interface Fill {
  readonly command: CommandLine;
  readonly bytes: number;
  /** Of the load. */
  readonly random: () => number;
  readonly moment: (full: Full) => Promise<string[]>;
}

/** One file system, from its making to its end. */
async function fillOnce({
  command,
  bytes,
  random,
  moment,
}: Fill): Promise<{ sent: Sent[]; broken: string[] }> {
  const directory = scratchDirectory('full');
  const small = join(directory, 'small');
  mkdirSync(small);
  const unmount = mountSmall(small, bytes + ballastBytes);
  const data = join(small, 'data');
  const ballast = join(small, 'ballast');
  writeFileSync(ballast, Buffer.alloc(ballastBytes, 1));
  const server = await mustStart({ command, data });
  const full: Full = { command, data, token: await signUpSender(server.port), server };
  try {
    const { token } = full;
    await becomeAdministrator(server, token);
    const refusals: ChatError[] = [];
    const enough = new AbortController();
    const load = { token, random, senders: flood.senders };
    const sent = await sendLoad({
      ...load,
      ...flood,
      port: server.port,
      label: 'fill',
      signal: enough.signal,
      onRefused(error) {
        refusals.push(error);
        if (refusals.length === 40) enough.abort();
      },
    });
    const broken = unclearRefusals(refusals, /disk is full/);
    broken.push(...(await readingFailures(server.port, token)), ...(await moment(full)));
    rmSync(ballast);
    if (full.server.hasEnded) full.server = await mustStart({ command, data });
    const { port } = full.server;
    const late: ChatError[] = [];
    const after = await sendLoad({
      ...load,
      port,
      label: 'after',
      messages: 30,
      onRefused: (error) => late.push(error),
    });
    if (late[0])
      broken.push(`there is room, and ${late.length} are refused: ${late[0].code} ${late[0].message}`);
    // Each call was answered, and nothing is stored of what was refused. Connections that came later are other senders.
    const later = after.map((message) => ({ ...message, sender: flood.senders + message.sender }));
    const kept = [...sent, ...later].filter(({ acknowledged }) => acknowledged !== undefined);
    broken.push(...(await new Ledger().check(port, token, kept)));
    return { sent: kept, broken };
  } finally {
    await full.server.kill();
    unmount();
    removeScratch(directory);
  }
}
