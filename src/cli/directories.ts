import { posix, win32 } from 'node:path';
import type { Host } from './host.ts';

/** What decides where files are: nothing but these, so that every platform can be tested on one. */
export type Place = Pick<Host, 'env' | 'platform' | 'homeDirectory'>;

/** Paths as `platform` spells them. */
export function pathsOf(platform: NodeJS.Platform): typeof posix {
  return platform === 'win32' ? win32 : posix;
}

/** The parts of a directory below the home directory, for each kind of platform. */
interface Fallbacks {
  readonly darwin: readonly string[];
  readonly win32: readonly string[];
  readonly others: readonly string[];
}

/** What Apple gives a program for its own files; a command line's settings are no property list. */
const applicationSupport = ['Library', 'Application Support'] as const;

/**
 * The first of `variables` that names an absolute directory (a relative one is to be ignored: XDG Base Directory), or the
 * platform's own place, and `chat` in it.
 */
function ownDirectory(place: Place, variables: readonly string[], fallbacks: Fallbacks): string {
  const { env, platform, homeDirectory } = place;
  const { isAbsolute, join } = pathsOf(platform);
  const named = variables.map((variable) => env[variable] ?? '').find(isAbsolute);
  const below = platform === 'darwin' || platform === 'win32' ? fallbacks[platform] : fallbacks.others;
  return join(named ?? join(homeDirectory, ...below), 'chat');
}

/**
 * Where tokens, pins and cursors are kept: `$XDG_STATE_HOME/chat`, or the platform's place for such things on macOS and
 * Windows, where it is the machine's and not the person's.
 */
export function stateDirectory(place: Place): string {
  const variables = place.platform === 'win32' ? ['XDG_STATE_HOME', 'LOCALAPPDATA'] : ['XDG_STATE_HOME'];
  return ownDirectory(place, variables, {
    darwin: applicationSupport,
    win32: ['AppData', 'Local'],
    others: ['.local', 'state'],
  });
}

/** Where a person's settings and contexts are: `$XDG_CONFIG_HOME/chat`, or the platform's place on macOS and Windows. */
export function configDirectory(place: Place): string {
  const variables = place.platform === 'win32' ? ['XDG_CONFIG_HOME', 'APPDATA'] : ['XDG_CONFIG_HOME'];
  return ownDirectory(place, variables, {
    darwin: applicationSupport,
    win32: ['AppData', 'Roaming'],
    others: ['.config'],
  });
}

/** Where the settings of all people on a machine are: `/etc/chat`, or the platform's place on macOS and Windows. */
export function systemDirectory(place: Place): string {
  if (place.platform === 'darwin') return '/Library/Application Support/chat';
  if (place.platform !== 'win32') return '/etc/chat';
  const named = place.env.PROGRAMDATA ?? '';
  return win32.join(win32.isAbsolute(named) ? named : 'C:\\ProgramData', 'chat');
}
