import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { bareStart } from './floors.ts';
import { type Figure, type Lab, median } from './lab.ts';

/** Whole client commands as a script runs them, in milliseconds, beside the start of the bare runtime. */
export async function commands(lab: Lab): Promise<Figure[]> {
  const env = {
    PATH: process.env.PATH,
    HOME: lab.directory,
    XDG_STATE_HOME: join(lab.directory, 'state'),
    CHAT_SERVER: `plain://127.0.0.1:${lab.port}`,
    CHAT_PASSWORD: 'bench password',
  };
  const run = (...args: string[]): number => {
    const start = performance.now();
    execFileSync('bin/chat', args, { env, stdio: 'ignore' });
    return performance.now() - start;
  };
  run('login', 'bench');
  const floor = { name: 'node -e 0', value: bareStart() };
  const figures: Figure[] = [];
  for (const args of [['--version'], ['whoami'], ['send', '#lobby', 'a line from a script']]) {
    const value = median(Array.from({ length: 9 }, () => run(...args)));
    figures.push({ name: `chat ${args[0]}, end to end`, unit: 'ms', value, floor });
  }
  return figures;
}
