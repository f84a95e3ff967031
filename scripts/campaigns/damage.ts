import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ChatError } from '../../src/core/errors.ts';
import type { Campaign, CommandLine } from './campaign.ts';
import { removeScratch, scratchDirectory } from './leavings.ts';
import { acknowledgedOf, readAll, sendLoad, targets } from './load.ts';
import { open, signUpSender } from './people.ts';
import { brokenPromises, type Found, type Sent } from './promises.ts';
import { pick, seeded } from './random.ts';
import { clearRefusal } from './refusal.ts';
import { isReady, mustStart, startServer } from './server-process.ts';

/** What a server has left behind that is damaged then, each time a copy of it. */
interface Estate {
  /** The data directory, and beside it what an operator has written. */
  readonly directory: string;
  readonly token: string;
  readonly sent: readonly Sent[];
}

/** What an operator writes: the settings, and the terms that people accept. Neither holds what a reader of messages would notice. */
const written = {
  'server.yaml': (directory: string) =>
    [
      '# How this server is run.',
      `consent-file: ${join(directory, 'terms.txt')}`,
      'registration: open',
      'min-password-length: 12',
      'registrations-per-hour: 600',
      'drain-wait: 10',
      '',
    ].join('\n'),
  'terms.txt': () => 'Whoever writes here writes to everybody – and answers for it.\n'.repeat(20),
} as const;

/** The files that a server cannot do without. */
const files = [
  'data/chat.db',
  'data/chat.db-wal',
  'data/serverkeys/server.key',
  'data/serverkeys/server.crt',
  'data/ttpkeys/ca.key',
  'data/ttpkeys/ca.crt',
  'data/lock',
  'server.yaml',
  'terms.txt',
] as const;

/** By name, what is done to a file; answers where, in words. */
const damages: Readonly<Record<string, (path: string, random: () => number) => string>> = {
  'flipped bit': (path, random) => changed(path, random, 1, (byte) => byte ^ (1 << Math.floor(random() * 8))),
  'sector of zeros': (path, random) => changed(path, random, 512, () => 0),
  'sector of something else': (path, random) => changed(path, random, 512, () => Math.floor(random() * 256)),
  'missing end': (path, random) => {
    const length = Math.floor(random() * statSync(path).size);
    truncateSync(path, length);
    return `from byte ${length} on`;
  },
};

/** Changes bytes of a file from a random one on, which begins a piece of so many. */
function changed(
  path: string,
  random: () => number,
  length: number,
  change: (byte: number) => number,
): string {
  const bytes = readFileSync(path);
  const pieces = Math.ceil(bytes.length / length);
  const start = Math.floor(random() * pieces) * length;
  for (let at = start; at < Math.min(start + length, bytes.length); at++) bytes[at] = change(bytes[at] ?? 0);
  writeFileSync(path, bytes);
  return `at byte ${start} of ${bytes.length}`;
}

const kinds = files.flatMap((file) =>
  Object.entries(damages).map(([name, harm]) => ({ name: `${file}: ${name}`, file, harm })),
);

/**
 * Damages one file that a killed server has left, or one that its operator has written, in a copy, and starts a server on it: either it
 * starts and all that was acknowledged is there, or it says in one line what is wrong.
 */
export const damage: Campaign = {
  about: 'flips bits, overwrites sectors and cuts ends off in each file that a server reads',
  trials: 1_000,
  kinds: kinds.map(({ name }) => name),
  async run({ trials, seed, server: command, only = '', onTrial }) {
    const random = seeded(seed);
    const directory = scratchDirectory('damage');
    const broken: string[] = [];
    const counts = { 'starts refused': 0, 'reads refused': 0, gaps: 0 };
    try {
      const estate = await leave(command, join(directory, 'left'), random);
      const chosen = kinds.filter(({ name }) => name.includes(only));
      const damaged = [...new Set(chosen.map(({ file }) => file))];
      for (let trial = 1; trial <= trials; trial++) {
        // One file after the other: few trials have every one.
        const turn = damaged[(trial - 1) % damaged.length];
        const { name, file, harm } = pick(
          chosen.filter((kind) => kind.file === turn),
          random,
        );
        const copy = join(directory, 'copy');
        cpSync(estate.directory, copy, { recursive: true, filter: (path) => !path.endsWith('.sock') });
        for (const [path, text] of Object.entries(written)) writeFileSync(join(copy, path), text(copy));
        const where = `${name} ${harm(join(copy, file), random)}`;
        const { outcome, broken: found } = await startOn(command, {
          ...estate,
          directory: copy,
          isWritten: file in written,
          isUnchecked: file === 'data/chat.db',
          // A log that was cut off is one of a server that was killed earlier.
          isCut: name === 'data/chat.db-wal: missing end',
        });
        rmSync(copy, { recursive: true });
        if (outcome !== 'served') counts[outcome] += 1;
        broken.push(...found.map((sentence) => `trial ${trial}, ${where}: ${sentence}`));
        onTrial?.(`trial ${trial}, ${where}: ${outcome}, ${found.length} failures`);
      }
    } finally {
      removeScratch(directory);
    }
    return { trials, counts, broken };
  },
};

/** How the texts begin that were sent before the server ended in order: they are in the database's file, whatever becomes of the log. */
const inFile = 'file';

function isInFile({ text }: Sent): boolean {
  return text.startsWith(`${inFile}.`);
}

/** A server that has ended in order once, and was killed then: what it has acknowledged is in the file and in the log. */
async function leave(command: CommandLine, directory: string, random: () => number): Promise<Estate> {
  const data = join(directory, 'data');
  mkdirSync(directory);
  const first = await mustStart({ command, data });
  const token = await signUpSender(first.port);
  const load = { token, random, size: 200 };
  const sent = await sendLoad({ ...load, port: first.port, label: inFile, messages: 300 });
  await first.kill('SIGTERM');
  const second = await mustStart({ command, data });
  sent.push(...(await sendLoad({ ...load, port: second.port, label: 'log', messages: 100, window: 2 })));
  // What is done to the last commit cannot be told from a power cut: that is one which nobody is told of.
  const connection = await open(second.port, token);
  await connection.call('room.create', { room: 'last' });
  await connection.close();
  await second.kill();
  if (acknowledgedOf(sent) !== sent.length || !existsSync(join(data, 'chat.db-wal')))
    throw new Error('the server to be damaged did not take what was sent');
  // Whoever sent one thing after another is asked for once.
  return { directory, token, sent: sent.map((message, index) => ({ ...message, sender: index })) };
}

/** What may be asked of a server on a damaged file. */
interface Damaged {
  /** An operator wrote it: what is wrong with it is `invalid`. */
  readonly isWritten: boolean;
  /** Nothing tells that a text in it has changed, or a place: what is at one that has changed is missing from its page. */
  readonly isUnchecked: boolean;
  /** Only what was in the database's file is asked for. */
  readonly isCut: boolean;
}

/** What was found, with the texts as they were sent: in the database's file a changed one is not noticed (docs/storage.md), a lost one is. */
function asSent(to: string, found: readonly Found[], sent: readonly Sent[]): Found[] {
  const texts = new Map<string, string>();
  for (const message of sent) {
    const { acknowledged, text } = message;
    if (message.to === to && acknowledged) texts.set(`${acknowledged.seq} ${acknowledged.id}`, text);
  }
  return found.map((message) => ({
    ...message,
    text: texts.get(`${message.seq} ${message.id}`) ?? message.text,
  }));
}

async function startOn(
  command: CommandLine,
  { directory, token, sent, isWritten, isUnchecked, isCut }: Estate & Damaged,
): Promise<{ outcome: 'served' | 'starts refused' | 'reads refused' | 'gaps'; broken: string[] }> {
  const flags = ['--config', join(directory, 'server.yaml')];
  const started = await startServer({ command, data: join(directory, 'data'), flags });
  if (!isReady(started)) {
    const broken = clearRefusal(started, isWritten ? 'invalid' : 'unavailable');
    return { outcome: 'starts refused', broken };
  }
  const broken: string[] = [];
  try {
    const connection = await open(started.port, token);
    for (const to of targets) {
      const found = await readAll(connection, to, 0);
      const isThere = ({ text }: Sent): boolean => found.some((message) => message.text === text);
      const asked = isCut ? sent.filter((message) => isInFile(message) || isThere(message)) : sent;
      broken.push(...brokenPromises(to, 0, isUnchecked ? asSent(to, found, sent) : found, asked));
    }
    await connection.close();
    return { outcome: 'served', broken };
  } catch (error) {
    const message = error instanceof ChatError ? error.message : '';
    if (/damaged/.test(message)) return { outcome: 'reads refused', broken };
    // The server has noticed nothing, and the client believes no page that leaves a place out.
    if (isUnchecked && /a page without message/.test(message)) return { outcome: 'gaps', broken };
    return {
      outcome: 'served',
      broken: [...broken, `reading fails with ${String(error)}: ${started.errors}`],
    };
  } finally {
    await started.kill();
  }
}
