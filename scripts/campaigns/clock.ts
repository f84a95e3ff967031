/**
 * Preloaded (`node --import`) into a server and its threads: its clock is as many milliseconds off as the file that CHAT_CAMPAIGN_CLOCK
 * names says, which is read anew every few milliseconds. Timers go on as they are, as they do when a system's clock is set.
 */
import { readFileSync } from 'node:fs';

const System = Date;
const path = process.env.CHAT_CAMPAIGN_CLOCK ?? '';
/** How long a reading of the file counts, in milliseconds. */
const readMs = 5;
let offMs = 0;
let readAt = Number.NEGATIVE_INFINITY;

function now(): number {
  if (performance.now() - readAt > readMs) {
    readAt = performance.now();
    offMs = Number(readFileSync(path, 'utf8')) || 0;
  }
  return System.now() + offMs;
}

globalThis.Date = new Proxy(System, {
  construct: (target, given, newTarget) =>
    Reflect.construct(target, given.length === 0 ? [now()] : given, newTarget),
  apply: (target) => new target(now()).toString(),
  get: (target, name, receiver) => (name === 'now' ? now : Reflect.get(target, name, receiver)),
});
