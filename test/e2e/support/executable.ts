import {
  accessSync,
  constants,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';

/** In the environment: the executable that is tested in place of the built program, or the release that has one for this platform. */
export const executableVariable = 'CHAT_TEST_EXECUTABLE';

/** What would help a file that should need nothing. */
const nodes = ['node', 'nodejs', 'npm', 'npx', 'corepack'];

/**
 * What vitest calls before all that starts `chat`: where an executable is to be tested, it is copied into an empty directory, and the
 * path of whatever is started from then on leads to all programs but Node's. Answers what removes the directory.
 */
export function setup(): () => void {
  const given = process.env[executableVariable];
  if (given === undefined) return () => {};
  const executable = statSync(given).isDirectory()
    ? join(given, `chat-${process.platform}-${process.arch}`)
    : given;
  accessSync(executable, constants.X_OK);
  const directory = mkdtempSync(join(tmpdir(), 'chat-executable-'));
  const [empty, programs] = [join(directory, 'empty'), join(directory, 'programs')];
  mkdirSync(empty);
  mkdirSync(programs);
  const copy = join(empty, 'chat');
  copyFileSync(executable, copy);
  for (const folder of (process.env.PATH ?? '').split(delimiter)) linkPrograms(folder, programs);
  process.env[executableVariable] = copy;
  process.env.PATH = programs;
  return () => rmSync(directory, { recursive: true, force: true });
}

/** Puts links to what is in `folder` into `programs`; what is there already was found first. */
function linkPrograms(folder: string, programs: string): void {
  for (const name of namesIn(folder)) {
    if (nodes.includes(basename(name))) continue;
    try {
      symlinkSync(join(folder, name), join(programs, name));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // A path may name what is not there.
  }
}
