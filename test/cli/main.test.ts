import { describe, expect, it } from 'vitest';
import {
  type Command,
  type CommandContext,
  type CommandEntry,
  command,
  noOperands,
} from '../../src/cli/command.ts';
import { exitBySignal, exitCodeHelp, exitCodes } from '../../src/cli/exit-codes.ts';
import { BrokenPipe, PromptLeft, TerminalGone } from '../../src/cli/host.ts';
import { run } from '../../src/cli/main.ts';
import { ChatError, errorCodes } from '../../src/core/errors.ts';
import { fakeHost } from './support/fake-host.ts';

function commandThat(
  act: (context: CommandContext) => Promise<number>,
  signals: Pick<Command, 'handlesSignals' | 'outlivesTerminal'> = {},
): CommandEntry[] {
  const definition = command({
    usage: ['act'],
    description: 'acts',
    options: {},
    operands: noOperands,
    examples: [],
    ...signals,
    run: (_args, context) => act(context),
  });
  return [{ name: 'act', summary: 'acts', load: async () => definition }];
}

async function outcomeOf(act: (context: CommandContext) => Promise<number>, ...flags: string[]) {
  const host = await fakeHost();
  const code = await run(['act', ...flags], host, commandThat(act));
  return { code, stdout: host.stdout.text, stderr: host.stderr.text };
}

const throwing = (error: unknown) => async (): Promise<number> => {
  throw error;
};

describe('exit codes', () => {
  it('are those of the protocol, and all of them', () => {
    expect(exitCodes).toEqual({
      invalid: 2,
      unauthenticated: 4,
      'second-factor-required': 11,
      forbidden: 5,
      'not-found': 6,
      conflict: 7,
      'too-large': 2,
      unsupported: 2,
      'rate-limited': 8,
      unavailable: 3,
      internal: 1,
      untrusted: 9,
      timeout: 10,
    });
  });

  it('all stand in the help', () => {
    for (const code of new Set([0, ...Object.values(exitBySignal), ...Object.values(exitCodes)])) {
      expect(exitCodeHelp).toMatch(new RegExp(`\\b${code}\\b`));
    }
  });

  it.each(errorCodes.map((code) => [code, exitCodes[code]] as const))(
    '%s ends the process with %i and one line',
    async (code, exit) => {
      expect(await outcomeOf(throwing(new ChatError(code, 'why')))).toEqual({
        code: exit,
        stdout: '',
        stderr: 'chat: why\n',
      });
    },
  );

  it('is what the command answered', async () => {
    expect(await outcomeOf(async () => 7)).toEqual({ code: 7, stdout: '', stderr: '' });
  });

  it.each([
    [new BrokenPipe('gone'), 0, ''],
    [new Error('write ENOSPC'), 1, 'chat: write ENOSPC\n'],
  ])('is that of what went wrong when the last of the output leaves: %s', async (failure, exit, stderr) => {
    const host = await fakeHost();
    const stdout = { ...host.stdout, flush: () => Promise.reject(failure) };
    const list = commandThat(async () => 0);
    expect([await run(['act'], { ...host, stdout }, list), host.stderr.text]).toEqual([exit, stderr]);
  });

  it('is 0 and silent when nobody reads stdout any more', async () => {
    expect(await outcomeOf(throwing(new BrokenPipe('gone')))).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it('is 130 and silent when a person leaves a prompt', async () => {
    expect(await outcomeOf(throwing(new PromptLeft('left')))).toEqual({ code: 130, stdout: '', stderr: '' });
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)(
    'is that of %s, which drops a command where it is and aborts what it waits for',
    async (signal, exit) => {
      const host = await fakeHost();
      let aborted = false;
      const list = commandThat(async (context) => {
        context.signal.addEventListener('abort', () => {
          aborted = true;
        });
        host.signal(signal);
        return await new Promise<number>(() => {});
      });
      expect({ code: await run(['act'], host, list), aborted, stderr: host.stderr.text }).toEqual({
        code: exit,
        aborted: true,
        stderr: '',
      });
    },
  );

  it('is left to a command that handles signals by itself', async () => {
    const host = await fakeHost();
    const list = commandThat(
      async () => {
        host.signal('SIGTERM');
        return 0;
      },
      { handlesSignals: true },
    );
    expect(await run(['act'], host, list)).toBe(0);
  });

  it('is that of the command when it outlives its terminal, which aborts nothing then', async () => {
    const host = await fakeHost();
    const list = commandThat(
      async ({ signal }) => {
        host.signal('SIGHUP');
        return signal.aborted ? 1 : 0;
      },
      { outlivesTerminal: true },
    );
    expect(await run(['act'], host, list)).toBe(0);
  });

  it('is 129 and silent when the terminal has gone', async () => {
    expect(await outcomeOf(throwing(new TerminalGone()))).toEqual({ code: 129, stdout: '', stderr: '' });
  });
});

describe('an error', () => {
  it('that nobody expected is one line without a stack, exit 1', async () => {
    expect(await outcomeOf(throwing(new TypeError('x is not a function')))).toEqual({
      code: 1,
      stdout: '',
      stderr: 'chat: x is not a function\n',
    });
  });

  it('comes with its stack and those of its causes on --verbose', async () => {
    const { stderr } = await outcomeOf(
      throwing(new ChatError('internal', 'outer', { cause: new Error('inner') })),
      '--verbose',
    );
    expect(stderr).toMatch(/^chat: outer\nChatError: outer\n {4}at [\s\S]*\nError: inner\n {4}at /);
  });

  it('cannot forge a second line or move the cursor', async () => {
    const { stderr } = await outcomeOf(throwing(new ChatError('invalid', 'bad\nchat: all is well\u001b[2J')));
    expect(stderr).toBe('chat: bad\\nchat: all is well\\x1b[2J\n');
  });

  it('says when to come back, and under which id the log has it', async () => {
    const limited = await outcomeOf(
      throwing(new ChatError('rate-limited', 'too often', { retryAfterMs: 1_500 })),
    );
    expect(limited.stderr).toBe('chat: too often (try again in 2 s)\n');
    const bug = await outcomeOf(throwing(new ChatError('internal', 'a bug', { errorId: 'e-1' })));
    expect(bug.stderr).toBe('chat: a bug (error id e-1)\n');
  });

  it('is an object on stderr with -o json, with --quiet too', async () => {
    const error = new ChatError('rate-limited', 'too often\n', { retryAfterMs: 5, field: 'f', errorId: 'e' });
    const { stdout, stderr } = await outcomeOf(throwing(error), '-o', 'json', '--quiet');
    expect(stdout).toBe('');
    expect(JSON.parse(stderr)).toEqual({
      error: { code: 'rate-limited', message: 'too often\n', field: 'f', retry_after_ms: 5, error_id: 'e' },
    });
  });
});

describe('output', () => {
  it('has data on stdout and talk on stderr, which --quiet silences', async () => {
    const act = async ({ output }: CommandContext) => {
      await output.result({ n: 1 }, 'one');
      await output.note('note');
      await output.detail('detail');
      output.progress('half');
      return 0;
    };
    expect(await outcomeOf(act)).toEqual({ code: 0, stdout: 'one\n', stderr: 'note\n' });
    expect(await outcomeOf(act, '--quiet')).toEqual({ code: 0, stdout: 'one\n', stderr: '' });
    expect(await outcomeOf(act, '--verbose')).toEqual({ code: 0, stdout: 'one\n', stderr: 'note\ndetail\n' });
    expect(await outcomeOf(act, '-o', 'json')).toEqual({ code: 0, stdout: '{"n":1}\n', stderr: 'note\n' });
  });

  it('is coloured on a terminal only, and not with --no-color, NO_COLOR, TERM=dumb or json', async () => {
    const paintedWith = async (terminal: boolean, env: Record<string, string>, ...flags: string[]) => {
      const host = await fakeHost({ terminal, env });
      const list = commandThat(async ({ output }) => {
        const paint = await output.paint();
        await output.result({ sam: true }, paint.name('sam'));
        return 0;
      });
      await run(['act', ...flags], host, list);
      return host.stdout.text;
    };
    expect(await paintedWith(true, {})).toBe('\u001b[36msam\u001b[39m\n');
    expect(await paintedWith(true, { NO_COLOR: '' })).toBe('\u001b[36msam\u001b[39m\n');
    expect(await paintedWith(false, {})).toBe('sam\n');
    expect(await paintedWith(true, {}, '--no-color')).toBe('sam\n');
    expect(await paintedWith(true, { NO_COLOR: '1' })).toBe('sam\n');
    expect(await paintedWith(true, { TERM: 'dumb' })).toBe('sam\n');
    expect(await paintedWith(true, { TERM: 'xterm' })).toBe('\u001b[36msam\u001b[39m\n');
    expect(await paintedWith(true, {}, '-o', 'json')).toBe('{"sam":true}\n');
  });

  it.each<[boolean, Record<string, string>, string[], string]>([
    [true, {}, [], '\r\u001b[Khalf\r\u001b[K'],
    [false, {}, [], ''],
    [true, {}, ['--quiet'], ''],
    [true, { TERM: 'dumb' }, [], ''],
    [true, {}, ['--screen-reader'], ''],
    [true, { CHAT_SCREEN_READER: '1' }, [], ''],
    [true, { CHAT_SCREEN_READER: '0' }, [], '\r\u001b[Khalf\r\u001b[K'],
  ])(
    'shows progress where it may draw over it, and wipes it: terminal %j, %j, %j',
    async (terminal, env, flags, shown) => {
      const host = await fakeHost({ terminal, env });
      const list = commandThat(async ({ output }) => {
        output.progress('half');
        output.progress(undefined);
        return 0;
      });
      await run(['act', ...flags], host, list);
      expect(host.stderr.text).toBe(shown);
    },
  );

  it.each<[Record<string, string>, string[], 'prompts' | 'plainPrompts']>([
    [{}, [], 'prompts'],
    [{ TERM: 'dumb' }, [], 'plainPrompts'],
    [{}, ['--screen-reader'], 'plainPrompts'],
    [{ CHAT_SCREEN_READER: '1' }, [], 'plainPrompts'],
  ])('asks in a way that the terminal and the person can do with: %j, %j: %s', async (env, flags, kind) => {
    const host = await fakeHost({ terminal: true, env });
    const asking = { ...host, plainPrompts: { ...host.plainPrompts } };
    let given: unknown;
    const list = commandThat(async (context) => {
      given = context.host.prompts;
      return 0;
    });
    await run(['act', ...flags], asking, list);
    expect(given).toBe(asking[kind]);
  });
});
