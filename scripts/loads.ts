import type { Metafile } from 'esbuild';

/** What one kind of start loads at once, and what it may not. Sizes in KB of built program. */
export interface Load {
  readonly name: string;
  /** The sources whose modules it loads, each with all that they import statically. */
  readonly entries: readonly string[];
  /** A load below this has not been measured at all: an entry's name no longer fits. */
  readonly minKb: number;
  readonly maxKb: number;
  /** Inputs that may not be in it, as a pattern over their paths. */
  readonly never: RegExp;
}

export interface MeasuredLoad {
  readonly name: string;
  readonly kb: number;
  /** One sentence each; none when the load is as it should be. */
  readonly faults: readonly string[];
}

/** The files of the build that are loaded together with `first`; a dynamic import is loaded when it is called, if ever. */
function loadedWith(outputs: Metafile['outputs'], first: readonly string[]): Set<string> {
  const seen = new Set<string>();
  const waiting = [...first];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const output = outputs[path];
    if (output === undefined || seen.has(path)) continue;
    seen.add(path);
    for (const imported of output.imports)
      if (imported.kind !== 'dynamic-import') waiting.push(imported.path);
  }
  return seen;
}

/** Measures a load in esbuild's record of a build. */
export function measureLoad(
  { outputs }: Metafile,
  { name, entries, minKb, maxKb, never }: Load,
): MeasuredLoad {
  const faults: string[] = [];
  const first = entries.flatMap((entry) => {
    const found = Object.keys(outputs).find((path) => outputs[path]?.entryPoint === entry);
    if (found === undefined) faults.push(`${entry} is no longer a file of its own`);
    return found ?? [];
  });
  let bytes = 0;
  for (const path of loadedWith(outputs, first)) {
    bytes += outputs[path]?.bytes ?? 0;
    for (const input of Object.keys(outputs[path]?.inputs ?? {})) {
      if (never.test(input)) faults.push(`${input} is loaded, and must not be`);
    }
  }
  const kb = Math.round(bytes / 1024);
  if (kb < minKb || kb > maxKb) faults.push(`${kb} KB is not within ${minKb}–${maxKb} KB`);
  return { name, kb, faults };
}
