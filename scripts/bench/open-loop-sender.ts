/**
 * Sends at a steady rate whether or not anything was answered, in a process of its own with an IPC channel: told what by the first
 * message, it answers `true` when it is connected; told by the second when to begin, it answers `true` when all was answered.
 */
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { lineSockets } from './line-socket.ts';
import { clockMs } from './open-loop-clock.ts';
import { answersIn } from './room-senders.ts';
import { requestText, type Service } from './service.ts';

/** What is sent, over how many connections in turn, and how long it is from one to the next. */
export interface SenderParts {
  readonly service: Service;
  readonly senders: number;
  readonly messages: number;
  readonly gapMs: number;
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Waits to a fraction of a millisecond: a timer of Node's event loop comes up to one late. */
function sleepUntil(atMs: number): void {
  const ms = atMs - clockMs();
  if (ms > 0) Atomics.wait(sleeper, 0, 0, ms);
}

process.once('disconnect', () => process.exit(0));
const [{ service, senders, messages, gapMs }] = (await once(process, 'message')) as [SenderParts];
const lines = await lineSockets(senders, service.port, service.sender);
let answered = 0;
for (const line of lines) {
  line.onBytes = (bytes, length) => {
    answered += answersIn(line, bytes.subarray(0, length));
  };
}
process.send?.(true);
const [beginMs] = (await once(process, 'message')) as [number];
for (let sent = 0; sent < messages; sent++) {
  sleepUntil(beginMs + sent * gapMs);
  lines[sent % senders]?.socket.write(requestText(service, sent % senders, Math.floor(sent / senders) + 1));
  // What was answered meanwhile is read.
  await turn();
}
while (answered < messages) await turn();
process.send?.(true);
