import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SetupError, say } from './speech.mjs';

const pollMs = 200;
/** No install takes this long: a lock this old was left behind, by whatever machine. */
const staleAfterMs = 15 * 60_000;
/** Time enough between making the lock file and writing its one line. */
const emptyForMs = 5_000;

/** `<pid>@<host>` from the lock file, or undefined when it is gone. */
function readHolder(file) {
  try {
    return { text: readFileSync(file, 'utf8'), ageMs: Date.now() - statSync(file).mtimeMs };
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function isAlive({ text, ageMs }) {
  if (ageMs > staleAfterMs) return false;
  if (text === '') return ageMs < emptyForMs;
  const [pid, host] = text.split('@');
  if (host !== hostname()) return true;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function tryTake(file) {
  try {
    writeFileSync(file, `${process.pid}@${hostname()}`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a lock whose owner is gone. Renamed first, so that of two that saw it only one goes on. */
function clear(file) {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
    rmSync(aside);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}

/** Runs `work` while no other setup of this checkout runs, after waiting for the one that does. */
export async function inTurn(root, work) {
  const file = join(root, '.cache', 'setup.lock');
  try {
    mkdirSync(join(root, '.cache'), { recursive: true });
    for (let told = false; !tryTake(file); ) {
      const holder = readHolder(file);
      if (holder === undefined) continue;
      if (!isAlive(holder)) {
        clear(file);
        continue;
      }
      if (!told) say(`waiting for the setup that is running already (process ${holder.text})`);
      told = true;
      await sleep(pollMs);
    }
  } catch (error) {
    if (!['EACCES', 'EROFS', 'EPERM'].includes(error.code)) throw error;
    throw new SetupError(`cannot write in ${root}: run this as the user who owns it.`);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}
