import type { CommandContext } from './command.ts';

/** Shows on a terminal that the password is being stretched: a second or so of silence otherwise. */
export function showStretching({ output }: CommandContext): (fraction: number) => void {
  return (fraction) => {
    output.progress(fraction < 1 ? `stretching the password ${Math.floor(fraction * 100)} %` : undefined);
  };
}
