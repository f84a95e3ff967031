import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parsePassword } from '../../src/core/model/password.ts';
import { parseUsername } from '../../src/core/model/username.ts';
import { randomBytes } from '../../src/core/random.ts';
import { passwordPool, passwordWorkers } from '../../src/server/workers/password-pool.ts';
import type { Lane } from './door-table.ts';
import { benchCost, firstLine } from './lab.ts';
import { runLanes } from './lanes.ts';
import { ended, startScript } from './left-overs.ts';
import { Wire } from './wire.ts';

/** Bare Node servers in a process of their own: what no door can pass. */
export interface BareServer {
  readonly pid: number;
  /** Of lines that come back as they are. */
  readonly linesPort: number;
  /** A lane that asks once a turn; `connections` connects for each. */
  readonly open: Readonly<Record<'lines' | 'connections' | 'http', (from: string) => Promise<Lane>>>;
  stop(): Promise<void>;
}

/** Starts the bare servers. */
export async function bareServer(): Promise<BareServer> {
  const child = startScript('bare-server.ts');
  const [lines = 0, http = 0] = (await firstLine(child)).split(' ').map(Number);
  const text = 'x'.repeat(200);
  return {
    pid: child.pid ?? 0,
    linesPort: lines,
    open: {
      async lines(from) {
        const wire = await Wire.open(lines, from);
        return { turn: async () => void (await wire.line(text)), close: () => wire.close() };
      },
      async connections(from) {
        return {
          async turn() {
            const wire = await Wire.open(lines, from);
            await wire.line(text);
            wire.close();
          },
          close() {},
        };
      },
      async http(from) {
        const wire = await Wire.open(http, from);
        const turn = async () => void (await wire.http('POST', '/', { body: { text } }));
        return { turn, close: () => wire.close() };
      },
    },
    stop: () => ended(child),
  };
}

/** Hashes per second of bcryptjs on as many threads as the server has for it: its own pool, with nothing around it. */
export async function hashesPerSecond(ms: number): Promise<number> {
  const workers = passwordWorkers(availableParallelism());
  const pool = passwordPool({ workers, entry: pathToFileURL(resolve('dist/password-worker.mjs')) });
  const input = {
    realm: 'floor',
    username: parseUsername('bench'),
    password: parsePassword('bench password'),
    salt: randomBytes(16),
    cost: benchCost,
  };
  const turn = async () => void (await pool.stretch(input, { owner: 'floor', isWanted: () => true }));
  try {
    const lanes = Array.from({ length: 2 * workers }, (): Lane => ({ turn, close() {} }));
    // The threads start with their first password.
    await Promise.all(lanes.map((lane) => lane.turn()));
    return (await runLanes(lanes, ms, process.pid)).rate;
  } finally {
    await pool.close();
  }
}
