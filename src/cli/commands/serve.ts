import { type Command, command, noOperands } from '../command.ts';

/**
 * Answers the command that runs the server until it is asked to end. Its flags are the server's own table, and so this
 * is the one command that has something to load before its help can be shown.
 */
export async function loadServe(): Promise<Command> {
  const { serveOptions } = await import('../../server/settings.ts');
  return command({
    usage: ['serve [flags]'],
    description:
      'Runs the server. Prints one line when it is ready: address, fingerprint, data directory. SIGTERM drains and ends it.',
    options: serveOptions,
    operands: noOperands,
    examples: [
      ['chat serve', 'serves on 127.0.0.1:8080'],
      ['chat serve --listen 0.0.0.0:8080 --data /var/lib/chat', 'serves the network, over TLS only'],
    ],
    handlesSignals: true,
    async run({ options }, { host, output }) {
      const server = await import('../../server/serve.ts');
      const running = await server.serve(
        { flags: options, env: host.env, platform: host.platform, homeDirectory: host.homeDirectory },
        {
          ready: (line) => void host.stdout.write(`${line}\n`),
          log: (line) => void output.note(line),
        },
      );
      const stopListening = host.onSignal((signal) => running.stop(signal));
      try {
        return await running.closed;
      } finally {
        stopListening();
      }
    },
  });
}
