import type { Host, TextSink } from '../../../src/cli/host.ts';
import { run } from '../../../src/cli/main.ts';
import { systemHost } from '../../../src/cli/system-host.ts';

/** How a command ended and what it said. */
export interface HereOutcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

let system: Host | undefined;

function keeping(): { readonly sink: TextSink; text: string } {
  const kept = {
    text: '',
    sink: {
      isTerminal: false,
      columns: undefined,
      gone: new AbortController().signal,
      isReaderGone: () => false,
      isAmidLine: () => false,
      write(text) {
        kept.text += text;
        return undefined;
      },
      flush: async () => {},
    } satisfies TextSink,
  };
  return kept;
}

/**
 * Runs `chat ARGS` from the sources, in this process: the same commands on the same files and sockets for a tenth of the time. For
 * what a test needs to be there, never for what it is about.
 */
export async function runHere(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  input: string | Uint8Array = '',
): Promise<HereOutcome> {
  system ??= systemHost();
  const out = keeping();
  const err = keeping();
  const code = await run(args, {
    ...system,
    env,
    homeDirectory: env.HOME ?? system.homeDirectory,
    stdin: {
      isTerminal: false,
      async *bytes() {
        yield Buffer.from(input);
      },
    },
    stdout: out.sink,
    stderr: err.sink,
    onSignal: () => () => {},
  });
  return { code, out: out.text, err: err.text };
}
