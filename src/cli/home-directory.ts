import { homedir } from 'node:os';
import { isAbsolute } from 'node:path';

/**
 * The person's home directory. Who has none (no HOME, and not among the system's users: a container from scratch) gets the root
 * directory, as container runtimes have it, and so does one whose HOME is no absolute path.
 */
export function homeDirectory(ask: () => string = homedir): string {
  try {
    const home = ask();
    if (isAbsolute(home)) return home;
  } catch {
    // Node throws where the system knows of none.
  }
  return '/';
}
