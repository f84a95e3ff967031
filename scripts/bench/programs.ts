import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Figure, figureOf } from './figure.ts';
import { firstLine, type Lab, type Program, startServer, withLab } from './lab.ts';
import { ended, needed } from './left-overs.ts';
import { inTurn } from './rounds.ts';
import type { Course, Workload } from './workload.ts';

/** After this long nothing of a start goes on any more. */
const settledMs = 1_000;

/** What each start gave. */
interface Start {
  readonly readyMs: number;
  readonly residentMb: number;
}

/** A server and a client that wait, built and packaged, beside a bare runtime that does. */
export const programs: Workload = {
  name: 'programs',
  about:
    'start and memory of a server, memory of a following chat tail, and those of a packaged chat, beside bare Node',
  run: (course) => withLab((lab) => run(lab, course)),
};

async function run(lab: Lab, { rounds, packaged, leaveOut }: Course): Promise<Figure[]> {
  const kinds: Record<string, Program> = { built: [process.execPath, 'dist/chat.mjs'] };
  if (packaged === undefined) leaveOut('a packaged chat', 'there is no --packaged FILE');
  else kinds.packaged = [resolve(packaged)];
  const turns: Record<string, () => Promise<Start>> = { floor: startOfBare };
  for (const [kind, program] of Object.entries(kinds)) {
    // The first start makes keys and the database.
    await startOfServer(lab, kind, program);
    turns[`server ${kind}`] = () => startOfServer(lab, kind, program);
    turns[`tail ${kind}`] = () => startOfTail(lab, program);
  }
  const taken = await inTurn(rounds, turns);
  const floorOf = (what: keyof Start) => ({
    name: 'bare Node that listens',
    values: taken.floor?.map((start) => start[what]) ?? [],
  });
  return Object.keys(kinds).flatMap((kind) => {
    const valuesOf = (which: string, what: keyof Start): number[] =>
      taken[`${which} ${kind}`]?.map((start) => start[what]) ?? [];
    const figure = (name: string, unit: string, which: string, what: keyof Start): Figure =>
      figureOf({ name: `${name}, ${kind}`, unit, values: valuesOf(which, what), floor: floorOf(what) });
    return [
      figure('start of a server', 'ms', 'server', 'readyMs'),
      figure('memory of a server that waits', 'MB', 'server', 'residentMb'),
      figure('memory of a chat tail that follows', 'MB', 'tail', 'residentMb'),
    ];
  });
}

async function startOfServer(lab: Lab, kind: string, program: Program): Promise<Start> {
  const server = await startServer(join(lab.directory, `data of ${kind}`), [], program);
  await sleep(settledMs);
  const residentMb = residentMegabytes(server.pid);
  await server.stop();
  return { readyMs: server.readyMs, residentMb };
}

async function startOfTail(lab: Lab, [command, ...first]: Program): Promise<Start> {
  const began = performance.now();
  const env = {
    PATH: process.env.PATH,
    HOME: lab.directory,
    CHAT_SERVER: `plain://127.0.0.1:${lab.port}`,
    CHAT_TOKEN: lab.token,
  };
  const child = needed(
    spawn(command, [...first, 'tail', '#lobby', '-n', '0', '--verbose'], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    }),
    'chat tail',
  );
  for await (const line of createInterface({ input: child.stderr })) if (/following/.test(line)) break;
  return await settled(child, performance.now() - began);
}

async function startOfBare(): Promise<Start> {
  const began = performance.now();
  const text = `require('node:net').createServer().listen(0,'127.0.0.1',function(){console.log(this.address().port)})`;
  const child = needed(
    spawn(process.execPath, ['-e', text], { stdio: ['ignore', 'pipe', 'ignore'] }),
    'bare Node',
  );
  await firstLine(child);
  return await settled(child, performance.now() - began);
}

async function settled(child: ChildProcess, readyMs: number): Promise<Start> {
  await sleep(settledMs);
  const residentMb = residentMegabytes(child.pid ?? 0);
  await ended(child, 'SIGKILL');
  return { readyMs, residentMb };
}

/** What a process has in memory; Linux only (proc_pid_status(5)). */
function residentMegabytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return (Number(kilobytes) * 1_024) / 1e6;
}
