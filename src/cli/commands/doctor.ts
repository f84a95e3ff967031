import { protocolVersion } from '../../core/pong.ts';
import { type CommandContext, command, noOperands } from '../command.ts';
import { checkConfig, checkLocks, checkState } from '../doctor/files.ts';
import { checkLogin } from '../doctor/login.ts';
import { checkName, checkPings, type Reached, reach } from '../doctor/server.ts';
import { checkSettings } from '../doctor/settings.ts';
import { fine, runStep, type Step } from '../doctor/step.ts';
import { checkTerminal } from '../doctor/terminal.ts';
import { exitCodeOfFindings, type Finding, printFinding } from '../findings.ts';

/** How long looking at files may take, which a network may be behind too. */
const filesMs = 10_000;
/** The connection's own limits and a margin. */
const networkMs = 8_000;
/** Three pings. */
const pingsMs = 16_000;
/** A refresh and two tries, each with its own limit. */
const loginMs = 35_000;

/** Runs every step in turn and prints what it finds as it finds it. */
async function examine(context: CommandContext): Promise<Finding[]> {
  const { host, output, configuration } = context;
  const all: Finding[] = [];
  let reached: Reached | undefined;
  async function take(step: Step): Promise<boolean> {
    const found = await runStep(step);
    for (const finding of found) await printFinding(output, host, finding);
    all.push(...found);
    return found.every(({ status }) => status !== 'fail');
  }

  await take({
    check: 'version',
    limitMs: filesMs,
    run: async () => [
      fine('version', `chat ${await host.version()}, protocol ${protocolVersion}, on ${host.platform}`),
    ],
  });
  await take({ check: 'settings', limitMs: filesMs, run: () => checkSettings(host, configuration) });
  await take({ check: 'state', limitMs: filesMs, run: () => checkState(host) });
  await take({ check: 'config', limitMs: filesMs, run: () => checkConfig(host) });
  await take({ check: 'locks', limitMs: filesMs, run: () => checkLocks(host) });
  const isNamed = await take({ check: 'name', limitMs: networkMs, run: () => checkName(context) });
  try {
    if (isNamed) {
      await take({
        check: 'server',
        limitMs: networkMs,
        async run() {
          const { findings, reached: found } = await reach(context);
          reached = found;
          return findings;
        },
      });
    }
    const connection = reached?.connection;
    if (connection !== undefined)
      await take({ check: 'round trip', limitMs: pingsMs, run: () => checkPings(context, connection) });
    await take({ check: 'login', limitMs: loginMs, run: () => checkLogin(context, reached) });
  } finally {
    await reached?.connection.close();
  }
  await take({ check: 'terminal', limitMs: filesMs, run: async () => checkTerminal(context) });
  return all;
}

/** Looks at everything that a command needs and says what is wrong with it. */
export const doctor = command({
  usage: ['doctor'],
  description:
    'Looks at everything that a command needs: settings, files and their permissions, locks, the server, its key, the clocks, the ' +
    'login and the terminal. Each line is ok, warn or fail, with what to do. Exit 0 when nothing fails, otherwise the code of the ' +
    'first failure. It remembers no key and asks nothing.',
  options: {},
  operands: noOperands,
  examples: [
    ['chat doctor --server chat.example.org', 'can this server be reached from here?'],
    ['chat doctor -o json', 'one object a line'],
  ],
  settings: 'with-problems',
  run: async (_args, context) => exitCodeOfFindings(await examine(context)),
});
