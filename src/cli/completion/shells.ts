import { bash } from './bash.ts';
import { fish } from './fish.ts';
import type { Shell } from './shell.ts';
import { zsh } from './zsh.ts';

/** Every shell that is served, by its name. */
export const shells = { bash, zsh, fish } as const satisfies Readonly<Record<string, Shell>>;

export type ShellName = keyof typeof shells;

/** In the order of the help. */
export const shellNames = Object.keys(shells) as ShellName[];

/** Undefined for a name of another. */
export function findShell(name: string): Shell | undefined {
  return Object.hasOwn(shells, name) ? shells[name as ShellName] : undefined;
}
