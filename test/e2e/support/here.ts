import type { Host, TextSink } from '../../../src/cli/host.ts';
import { run } from '../../../src/cli/main.ts';
import { systemHost } from '../../../src/cli/system-host.ts';
import { scryptCost } from '../../../src/core/e2ee/key-backup.ts';
import { ChatError } from '../../../src/core/errors.ts';

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

/** How a command is run here. */
export interface HereOptions {
  readonly input?: string | Uint8Array;
  /** False: a login finds no keys of private messages and makes none, as by a client that knows of none; that is most of its time. */
  readonly hasKeys?: boolean;
  /**
   * False: the backup of the keys that a login makes is one that no password opens, since stretching the password for it is half of a
   * registration. For who never comes to another machine.
   */
  readonly hasBackup?: boolean;
}

/**
 * Runs `chat ARGS` from the sources, in this process: the same commands on the same files and sockets for a tenth of the time. For
 * what a test needs to be there, never for what it is about.
 */
export async function runHere(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  { input = '', hasKeys = true, hasBackup = true }: HereOptions = {},
): Promise<HereOutcome> {
  system ??= systemHost();
  const { client } = system;
  const out = keeping();
  const err = keeping();
  const setUpKeys = hasKeys ? (hasBackup ? client.setUpKeys : withoutBackup) : withoutKeys;
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
    client: { ...client, setUpKeys },
  });
  return { code, out: out.text, err: err.text };
}

const withoutBackup: Host['client']['setUpKeys'] = async (connection, options) => {
  const { setUpKeys } = await import('../../../src/client/keys/set-up.ts');
  return setUpKeys(connection, {
    ...options,
    stretch: async () => crypto.getRandomValues(new Uint8Array(scryptCost.dkLen)),
  });
};

async function withoutKeys(): Promise<never> {
  throw new ChatError('unsupported', 'this client knows of no keys');
}
