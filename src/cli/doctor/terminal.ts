import type { CommandContext } from '../command.ts';
import type { Finding } from '../findings.ts';
import { isDumb } from '../output.ts';
import { doubtful, fine } from './step.ts';

/** What the terminal is and can. */
export function checkTerminal({ host, settings }: CommandContext): Finding[] {
  return [terminalFinding(host, settings), localeFinding(host)];
}

function terminalFinding(
  { stdin, stdout, stderr, env }: CommandContext['host'],
  { color }: CommandContext['settings'],
): Finding {
  const check = 'terminal';
  const ends = { stdin, stdout, stderr };
  const names = Object.entries(ends).filter(([, end]) => end.isTerminal);
  const what =
    names.length === 0
      ? 'no terminal: columns are separated by tabs, and nothing is asked'
      : `${names.map(([name]) => name).join(', ')} ${names.length === 1 ? 'is' : 'are'} a terminal`;
  const width = stdout.columns === undefined ? '' : ` of ${stdout.columns} columns`;
  if (isDumb(env)) return doubtful(check, `${what}${width}, and TERM=dumb: nothing is drawn or coloured`);
  const colors = !stdout.isTerminal ? '' : color ? ', coloured' : ', not coloured, as was asked for';
  return fine(check, `${what}${width}${colors}`);
}

/** Which of the variables says the locale, in the order in which systems ask them (POSIX, 8.2). */
function localeFinding({ env, platform }: CommandContext['host']): Finding {
  const check = 'locale';
  if (platform === 'win32') return fine(check, 'Windows terminals take all of Unicode');
  const name = ['LC_ALL', 'LC_CTYPE', 'LANG'].find((variable) => (env[variable] ?? '') !== '');
  const value = name === undefined ? undefined : env[name];
  if (value !== undefined && /utf-?8/i.test(value)) return fine(check, `${name}=${value}`);
  const is = name === undefined ? 'no locale is set' : `${name}=${value} is not UTF-8`;
  return doubtful(check, `${is}: letters beyond ASCII may come out wrong; set, for example, LC_ALL=C.UTF-8`);
}
