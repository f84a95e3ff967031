import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { type Figure, figureOf, type Target } from './figure.ts';
import { bareStart, often } from './floors.ts';
import { type Lab, withLab } from './lab.ts';
import { inTurn } from './rounds.ts';
import type { Course, Workload } from './workload.ts';

/** What a script runs, and at most how many times as long as the bare runtime it may take. */
const measured = [
  { args: ['--version'], atMost: undefined },
  { args: ['whoami'], atMost: 4 },
  { args: ['send', '#lobby', 'a line from a script'], atMost: 5 },
] as const;

/** Whole client commands as a script runs them, beside the start of the bare runtime. */
export const commands: Workload = {
  name: 'commands',
  about: 'whole client commands, and those of a packaged chat, beside node -e 0',
  run: (course) => withLab((lab) => commandsOf(lab, course)),
};

async function commandsOf(lab: Lab, course: Course): Promise<Figure[]> {
  const figures = await figuresOf(lab, resolve('bin/chat'), 'built', course);
  if (course.packaged === undefined) {
    course.leaveOut('commands of a packaged chat', 'there is no --packaged FILE');
    return figures;
  }
  return [...figures, ...(await figuresOf(lab, resolve(course.packaged), 'packaged', course))];
}

async function figuresOf(lab: Lab, program: string, kind: string, { rounds }: Course): Promise<Figure[]> {
  const home = join(lab.directory, kind);
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    XDG_STATE_HOME: join(home, 'state'),
    CHAT_SERVER: `plain://127.0.0.1:${lab.port}`,
    CHAT_PASSWORD: 'bench password',
  };
  const chat = (args: readonly string[]): void => {
    execFileSync(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  chat(['login', 'bench']);
  const turns: Record<string, () => number> = { floor: bareStart };
  for (const { args } of measured) turns[args[0]] = () => often(() => chat(args));
  const taken = await inTurn(rounds, turns);
  return measured.map(({ args, atMost }) => {
    const target: Target | undefined = atMost && {
      sentence: `at most ${atMost} × node -e 0`,
      judged: 'ratio',
      atMost,
    };
    return figureOf({
      name: `chat ${args[0]}, end to end, ${kind}`,
      unit: 'ms',
      values: taken[args[0]] ?? [],
      floor: { name: 'node -e 0', values: taken.floor ?? [] },
      ...(target && { target }),
    });
  });
}
