import { command, noOperands } from '../command.ts';

/** Runs the server until it is asked to end. */
export const serve = command({
  usage: ['serve [flags]'],
  description:
    'Runs the server. Prints one line when it is ready: address, fingerprint, data directory. SIGTERM drains and ends it.',
  options: {},
  operands: noOperands,
  examples: [['chat serve', 'serves on 127.0.0.1:8080']],
  handlesSignals: true,
  async run(_args, { host, output }) {
    const server = await import('../../server/serve.ts');
    const running = await server.serve(
      {},
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
