/**
 * Preloaded (`node --import`) into a program and its threads: writes each path that it makes, changes or removes, or opens to write,
 * as a line of JSON into the file that CHAT_TRACE names.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

type Call = (...parameters: unknown[]) => unknown;

const { O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND } = fs.constants;
const append = fs.appendFileSync;
let isNoting = false;

function note(path: unknown): void {
  // By a descriptor: it was opened before. And what this calls itself is its own.
  if (typeof path === 'number' || isNoting) return;
  isNoting = true;
  append(process.env.CHAT_TRACE ?? '', `${JSON.stringify(String(path))}\n`);
  isNoting = false;
}

function opensToWrite(flags: unknown): boolean {
  if (typeof flags === 'number') return (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND)) !== 0;
  return typeof flags === 'string' && flags !== 'r' && flags !== 'rs';
}

/** By name, which parameters are paths that a call changes. */
const changing: Readonly<Record<string, readonly number[]>> = {
  appendFile: [0],
  chmod: [0],
  chown: [0],
  copyFile: [1],
  cp: [1],
  createWriteStream: [0],
  link: [1],
  mkdir: [0],
  mkdtemp: [0],
  rename: [0, 1],
  rm: [0],
  rmdir: [0],
  symlink: [1],
  truncate: [0],
  unlink: [0],
  utimes: [0],
  writeFile: [0],
};

for (const target of [fs, fs.promises] as unknown as Record<string, Call>[]) {
  for (const [name, places] of Object.entries(changing)) {
    for (const form of [name, `${name}Sync`]) {
      const original = target[form];
      if (original === undefined) continue;
      target[form] = (...parameters) => {
        for (const place of places) note(parameters[place]);
        return original.apply(target, parameters);
      };
    }
  }
  for (const form of ['open', 'openSync']) {
    const original = target[form];
    if (original === undefined) continue;
    target[form] = (...parameters) => {
      if (opensToWrite(parameters[1])) note(parameters[0]);
      return original.apply(target, parameters);
    };
  }
}
syncBuiltinESMExports();
