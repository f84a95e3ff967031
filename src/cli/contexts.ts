import { ChatError } from '../core/errors.ts';
import { configDirectory, type Place, pathsOf } from './directories.ts';
import { editFile } from './edit-file.ts';
import type { Host } from './host.ts';
import { checkSetting } from './settings.ts';
import { readSettingsText } from './settings-file.ts';
import { replacePrivateFile, stateError } from './state-directory.ts';

/** What is kept of one context: the login itself is in the state directory, under the context's name and server. */
export interface SavedContext {
  /** In its one spelling, `chat://HOST:PORT`. */
  readonly server: string;
}

/** The contexts of a person and which one is selected. */
export interface Contexts {
  readonly path: string;
  readonly exists: boolean;
  /** Undefined when none was selected. */
  readonly selected: string | undefined;
  /** By name, in the order of their names. */
  readonly saved: ReadonlyMap<string, SavedContext>;
}

/** The context that is used when nobody names one; it is there without being saved. */
export const defaultContext = 'default';

/** What there is before the first one is saved. */
export const noContexts: Pick<Contexts, 'selected' | 'saved'> = { selected: undefined, saved: new Map() };

/** Where the contexts are kept: JSON, since it is read at every start and written by the program alone. */
export function contextsPath(place: Place): string {
  return pathsOf(place.platform).join(configDirectory(place), 'contexts.json');
}

/** Reads the contexts; throws `invalid` (exit 2) naming the file when it cannot be understood. */
export async function loadContexts(place: Place): Promise<Contexts> {
  const path = contextsPath(place);
  const text = await readSettingsText(path);
  return text === undefined
    ? { path, exists: false, ...noContexts }
    : { path, exists: true, ...parseContexts(path, text) };
}

/** Reads what {@link formatContexts} wrote. */
function parseContexts(path: string, text: string): Pick<Contexts, 'selected' | 'saved'> {
  const damaged = (why: string, cause?: unknown): ChatError =>
    stateError(path, `is damaged (${why}); mend it, or move it away and save the contexts again`, cause);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw damaged('not JSON', error);
  }
  const { selected, contexts } = (value ?? {}) as { selected?: unknown; contexts?: unknown };
  if (typeof contexts !== 'object' || contexts === null || Array.isArray(contexts))
    throw damaged('it has no contexts');
  if (selected !== undefined && typeof selected !== 'string') throw damaged('selected is no name');
  const saved = new Map<string, SavedContext>();
  try {
    if (selected !== undefined) checkSetting('context', 'selected', selected);
    for (const [name, context] of Object.entries(contexts)) {
      checkSetting('context', `context ${JSON.stringify(name)}:`, name);
      const server: unknown = context?.server;
      if (typeof server !== 'string') throw damaged(`context ${name} has no server`);
      saved.set(name, { server: String(checkSetting('server', `context ${name}`, server)) });
    }
  } catch (error) {
    if (error instanceof ChatError && !error.message.startsWith(path)) throw damaged(error.message, error);
    throw error;
  }
  return { selected, saved };
}

/** The file's text, names in order. */
function formatContexts({ selected, saved }: Pick<Contexts, 'selected' | 'saved'>): string {
  const names = [...saved.keys()].sort();
  const contexts = Object.fromEntries(names.map((name) => [name, saved.get(name)]));
  return `${JSON.stringify({ ...(selected === undefined ? {} : { selected }), contexts }, undefined, 2)}\n`;
}

/** Changes the contexts while no other process does. */
export async function updateContexts(
  host: Host,
  change: (before: Pick<Contexts, 'selected' | 'saved'>) => Pick<Contexts, 'selected' | 'saved'>,
): Promise<void> {
  const path = contextsPath(host);
  const replace = (content: string) => replacePrivateFile(path, content, host.userId);
  await editFile(host, { path, replace }, (text) =>
    formatContexts(change(text === undefined ? noContexts : parseContexts(path, text))),
  );
}
