import type { ConfigSources } from '../../server/config/settle-setting.ts';
import type { RunningServer } from '../../server/serve.ts';
import type { ServeOption } from '../../server/serve-options.ts';
import { boundedLog } from '../bounded-log.ts';
import { type Command, type CommandContext, command, noOperands } from '../command.ts';
import { exitCodeOfFindings, printFinding } from '../findings.ts';
import type { OptionTable } from '../options.ts';
import { originText } from '../origin.ts';
import { readServerFiles } from '../server-file.ts';
import type { SettingsFile } from '../settings-file.ts';
import { tableLines } from '../table.ts';
import { withoutPassword } from '../without-password.ts';

/** What `serve` takes besides the server's own settings. */
const ownOptions = {
  config: {
    type: 'text',
    value: 'FILE',
    complete: 'file',
    env: 'CHAT_SERVE_CONFIG',
    describe:
      'the settings file; otherwise your server.yaml, then that of this machine (see chat serve --check)',
  },
  check: {
    type: 'flag',
    describe: 'print each setting and where it comes from, and whether a start would work; changes nothing',
  },
} as const satisfies OptionTable;

/**
 * Answers the command that runs the server until it is asked to end. Its flags are the server's own table, and so this
 * is the one command that has something to load before its help can be shown.
 */
export async function loadServe(): Promise<Command> {
  const { serveOptions } = await import('../../server/serve-options.ts');
  const options: Readonly<Record<string, ServeOption>> & typeof ownOptions = {
    ...ownOptions,
    ...serveOptions,
  };
  return command({
    usage: ['serve [flags]', 'serve --check [flags]'],
    description:
      'Runs the server. Prints one line when it is ready: address, fingerprint, data directory. SIGTERM drains and ends it. ' +
      'Each setting has a flag, a variable and, by the same name, a key in the settings file, in this order. ' +
      'The log goes to stderr; with --quiet only warnings, failures and the audit.',
    options,
    operands: noOperands,
    examples: [
      ['chat serve', 'serves on 127.0.0.1:8080'],
      ['chat serve --listen 0.0.0.0:8080 --data /var/lib/chat', 'serves the network, over TLS only'],
      [
        'chat serve --config /etc/chat/server.yaml --check',
        'tells whether a start with this file would work',
      ],
    ],
    handlesSignals: true,
    outlivesTerminal: true,
    settings: 'without-files',
    async run({ options: given }, context) {
      const { host } = context;
      const { configKeys } = await import('../../server/config.ts');
      const label = given.config === host.env.CHAT_SERVE_CONFIG ? 'CHAT_SERVE_CONFIG' : '--config';
      const named = given.config === undefined ? undefined : { path: given.config, label };
      const files = await readServerFiles(host, named, { known: configKeys, secretHint });
      const sources: ConfigSources = {
        flags: given,
        env: host.env,
        file: files.at(-1),
        platform: host.platform,
        homeDirectory: host.homeDirectory,
      };
      return given.check ? await check(sources, files, context) : await serve(sources, context);
    },
  });
}

const secretHint = 'a settings file is no place for a secret';

async function serve(
  sources: ConfigSources,
  { host, output, settings, signal: ending }: CommandContext,
): Promise<number> {
  let running: RunningServer | undefined;
  /** Came while the server was still starting. */
  let early: 'SIGINT' | 'SIGTERM' | undefined;
  const stopListening = host.onSignal((signal) => {
    if (signal === 'SIGHUP') running?.hangUp();
    else if (running === undefined) early = signal;
    else running.stop(signal);
  });
  try {
    const server = await import('../../server/serve.ts');
    let spellLost: (count: number) => string | undefined = () => undefined;
    const log = boundedLog(output.log, (count) => spellLost(count));
    const out = {
      ready: (line: string) => void host.stdout.write(`${line}\n`),
      spelling: (lostLines: typeof spellLost) => {
        spellLost = lostLines;
      },
      // What is not to be written is none that a reader could miss.
      log: (line: string, isTalk: boolean) => {
        if (!isTalk || !settings.quiet) log(line);
      },
      claim: (line: string) => void output.log(line),
    };
    running = await server.serve(sources, out, { signal: ending });
    if (early !== undefined) running.stop(early);
    return await running.closed;
  } finally {
    stopListening();
  }
}

async function check(
  sources: ConfigSources,
  files: readonly SettingsFile[],
  { host, output, signal }: CommandContext,
): Promise<number> {
  const { checkServer } = await import('../../server/check.ts');
  // Looking into a large database takes its time.
  const interrupted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });
  const { settings, findings } = await Promise.race([checkServer(sources, host.now()), interrupted]);
  const rows = settings.map(({ key, value, origin }) => [key, withoutPassword(value), originText(origin)]);
  const lines = tableLines(rows, host.stdout);
  for (const [index, { key, value, origin }] of settings.entries())
    await output.result({ key, value: withoutPassword(value), origin }, lines[index] ?? '');
  for (const { path, exists } of files) {
    const line = tableLines([['settings file', path, exists ? 'read' : 'not there']], host.stdout);
    await output.result({ file: path, exists }, line);
  }
  for (const finding of findings) await printFinding(output, host, finding);
  return exitCodeOfFindings(findings);
}
