import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { executableLicenses } from './licenses.ts';

const run = promisify(execFile);

/** What a working chat prints of itself, by the file of the release that it stands in. */
const printed: Readonly<Record<string, readonly string[]>> = {
  'completions/chat.bash': ['completion', 'bash'],
  'completions/_chat': ['completion', 'zsh'],
  'completions/chat.fish': ['completion', 'fish'],
  'chat.1': ['man'],
};

/** Files of the project that travel as they are. */
const copied: Readonly<Record<string, string>> = {
  'chat.service': 'scripts/package/chat.service',
  'install.sh': 'scripts/install.sh',
};

/** What {@link writeExtras} goes by. */
export interface Release {
  readonly root: string;
  /** The directory of the built program. */
  readonly build: string;
  /** The directory of the release, which may hold others of its files. */
  readonly release: string;
  /** The path of a chat that runs here, made from the same build. */
  readonly chat: string;
}

/** Writes what a release has besides executables and the npm package. Answers the names of the files. */
export async function writeExtras({ root, build, release, chat }: Release): Promise<string[]> {
  await mkdir(join(release, 'completions'), { recursive: true });
  for (const [name, words] of Object.entries(printed)) {
    // Nobody's settings have a say in what is printed.
    const env = { PATH: process.env.PATH, CHAT_CONFIG: '/dev/null', CHAT_SYSTEM_CONFIG: '/dev/null' };
    const { stdout } = await run(chat, [...words], { env, maxBuffer: 2 ** 24 });
    await writeFile(join(release, name), stdout);
  }
  for (const [name, source] of Object.entries(copied))
    await copyFile(join(root, source), join(release, name));
  await chmod(join(release, 'install.sh'), 0o755);
  await writeFile(join(release, 'LICENSES.txt'), executableLicenses(build));
  return [...Object.keys(printed), ...Object.keys(copied), 'LICENSES.txt'];
}
