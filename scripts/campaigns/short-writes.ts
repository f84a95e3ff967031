/**
 * Preloaded (`node --import`) into a server and its threads: a write to a file takes as many bytes as chance has it, which a system may do
 * at any time. The seed is in CHAT_CAMPAIGN_SEED.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { seeded } from './random.ts';

type WriteBytes = (
  fd: number,
  from: Uint8Array,
  offset?: number,
  length?: number,
  position?: number,
) => number;

const random = seeded(Number(process.env.CHAT_CAMPAIGN_SEED));
const write = fs.writeSync as WriteBytes;
const shortWrite: WriteBytes = (fd, from, offset = 0, length = from.length - offset, position) =>
  write(fd, from, offset, 1 + Math.floor(random() * length), position);

fs.writeSync = ((fd: number, from: Uint8Array | string, ...rest: number[]) =>
  typeof from === 'string'
    ? (write as (...all: unknown[]) => number)(fd, from, ...rest)
    : shortWrite(fd, from, ...rest)) as typeof fs.writeSync;
syncBuiltinESMExports();
