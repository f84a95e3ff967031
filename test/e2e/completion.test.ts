import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { chat, type Person, type ServerProcess, World } from './support/server.ts';
import { TerminalSession } from './support/terminal.ts';

const bashCompletion = '/usr/share/bash-completion/bash_completion';

/** Says what is missing instead of failing in words of its own. */
function need(shell: string): void {
  const found = spawnSync(shell, ['--version']);
  if (found.error !== undefined) throw new Error(`${shell} is missing; install it: apt-get install ${shell}`);
}

function needBashCompletion(): void {
  if (!existsSync(bashCompletion))
    throw new Error('bash-completion is missing; install it: apt-get install bash-completion');
}

const world = new World(afterAll);
let server: ServerProcess;
let alice: Person;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  server = await world.serve();
  alice = await world.person('alice', server).register({ hasBackup: false });
  const albert = await world.person('albert', server).register({ hasBackup: false });
  for (const room of ['ops', 'operations']) await alice.does(['join', room, '--create']);
  await albert.does(['join', 'ops']);
  await alice.does(['context', 'save', 'work', '--server', 'chat.example.org:8080']);
  mkdirSync(join(alice.home, 'files'), { recursive: true });
  writeFileSync(join(alice.home, 'files', 'report one.txt'), '');
  for (const shell of ['bash', 'zsh', 'fish'])
    writeFileSync(join(alice.home, `chat.${shell}`), await alice.succeed(['completion', shell]));
  env = {
    ...alice.env,
    PATH: [dirname(chat), process.env.PATH].join(delimiter),
    LANG: 'C.UTF-8',
    ZDOTDIR: alice.home,
  };
});

/** Runs a shell to its end in a directory of one file; its talk on stderr is a failure. */
function runShell(shell: string, args: readonly string[], extra: NodeJS.ProcessEnv = {}): string[] {
  need(shell);
  const { status, stdout, stderr } = spawnSync(shell, args, {
    cwd: join(alice.home, 'files'),
    env: { ...env, ...extra },
    encoding: 'utf8',
    input: '',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.split('\n').filter((line) => line !== '');
}

/** A server that takes connections and never says a word. */
async function silentServer(): Promise<string> {
  const listener = createServer(() => {}).listen(0, '127.0.0.1');
  await new Promise((resolve) => listener.once('listening', resolve));
  onTestFinished(() => void listener.close());
  const address = listener.address();
  return `plain://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}

/** By what no names are to be had. */
const withoutNames: readonly (readonly [string, () => Promise<NodeJS.ProcessEnv> | NodeJS.ProcessEnv])[] = [
  ['without a server', () => ({ CHAT_SERVER: 'plain://127.0.0.1:1', CHAT_TOKEN: 'cs1_x' })],
  ['without a login', () => ({ XDG_STATE_HOME: join(alice.home, 'nobody') })],
  ['with a token that is none', () => ({ CHAT_TOKEN: 'cs1_x' })],
  [
    'of a server whose key is not known',
    () => ({ XDG_STATE_HOME: join(alice.home, 'nobody'), CHAT_TOKEN: 'x' }),
  ],
  [
    'of a server that never answers',
    async () => ({ CHAT_SERVER: await silentServer(), CHAT_TOKEN: 'cs1_x' }),
  ],
  ['with settings that do not fit', () => ({ CHAT_CONTEXT: 'NO NAME', CHAT_OUTPUT: 'nonsense' })],
];

describe('chat complete', () => {
  it.each(withoutNames)('%s answers no names, no word about it, and exit 0', async (_when, outside) => {
    const extra = await outside();
    expect(await alice.run(['complete', 'zsh', '--', 'send', ''], '', extra)).toEqual({
      code: 0,
      out: 'words\n',
      err: '',
    });
  });
});

describe('fish', () => {
  const complete = (line: string, extra?: NodeJS.ProcessEnv) =>
    runShell(
      'fish',
      ['--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', join(alice.home, 'chat.fish'), line],
      extra,
    );
  const ops = ['#operations\t1 member, you are in it', '#ops\t2 members, you are in it'];
  const people = ['@albert\toffline', '@alice\tonline'];

  it.each([
    ["chat send '#op", ops],
    ['chat send "#op', ops],
    ['chat send \\#op', ops],
    ['chat send @al', people],
    ['chat send ', ['#lobby\t2 members, you are in it', ...ops, ...people]],
    ["chat tail '#ops' '#o", ops.slice(0, 1)],
    ['chat join op', ops.map((line) => line.slice(1))],
    ['chat send @alice al', []],
    ['chat send -- @al', people],
    ['chat --output=', ['--output=text', '--output=json']],
    ['chat -o ', ['text', 'json']],
    ['chat send --file=rep', ['--file=report one.txt']],
    ['chat send --file rep', ['report one.txt']],
    ['chat --context w', ['work\tchat://chat.example.org:8080']],
    ['chat --quiet --output json room m', ['members\tlist who is in a room']],
    ['chat whoa', ['whoami\tprint who is logged in']],
    ['true; CHAT_QUIET=1 chat room ', ['members\tlist who is in a room']],
    [`${chat} room `, ['members\tlist who is in a room']],
    ['~/no/such/chat room ', []],
  ])('completes %s', (line, expected) => {
    expect(complete(line)).toEqual(expected);
  });

  it.each(withoutNames)('is silent %s', async (_when, outside) => {
    const extra = await outside();
    expect(complete('chat send ', extra)).toEqual([]);
    expect(complete('chat room m', extra)).toEqual(['members\tlist who is in a room']);
  });
});

/** Lets a shell print what stands at its prompt, between marks, when Ctrl-X p is pressed. */
const printLine = {
  bash: String.raw`bind -x '"\C-xp": printf "<<%s>>" "$READLINE_LINE"'`,
  zsh: `print-line() { print -rn -- "<<$BUFFER>>" }; zle -N print-line; bindkey '^Xp' print-line`,
} as const;

/** Starts a shell at a terminal, with a prompt and what `setup` says. */
async function open(shell: keyof typeof printLine, setup: string): Promise<TerminalSession> {
  need(shell);
  const ready = 'READY>';
  const rc = join(alice.home, shell === 'bash' ? 'bashrc' : '.zshrc');
  writeFileSync(
    rc,
    [`PS1='${ready} '`, `cd ${join(alice.home, 'files')}`, printLine[shell], setup, ''].join('\n'),
  );
  const args = shell === 'bash' ? ['--noprofile', '--rcfile', rc, '-i'] : ['-d', '-i'];
  const terminal = new TerminalSession(shell, args, { ...env, TERM: 'xterm' }, { columns: 200, rows: 50 });
  await terminal.shows(ready);
  return terminal;
}

/** What stands at the prompt after `typed` and one Tab. */
async function pressTab(shell: keyof typeof printLine, setup: string, typed: string): Promise<string> {
  const terminal = await open(shell, setup);
  terminal.type(`${typed}\t\u0018p`);
  await terminal.shows(/<<.*>>/);
  return /<<(.*)>>/.exec(terminal.text)?.[1] ?? '';
}

const source = (shell: string) => `source ${join(alice.home, `chat.${shell}`)}`;

describe.each(['bash', 'zsh'] as const)('%s at a terminal', (shell) => {
  it.each([
    // Unquoted it would be a comment in a script, and so it gets its backslash.
    ['chat send #ope', 'chat send \\#operations '],
    ['chat send \\#ope', 'chat send \\#operations '],
    ["chat send '#ope", "chat send '#operations' "],
    ['chat send "#ope', 'chat send "#operations" '],
    ['chat send "#op', 'chat send "#op'],
    ['chat send @alb', 'chat send @albert '],
    ['chat send -- @alb', 'chat send -- @albert '],
    ['chat join ope', 'chat join operations '],
    ['chat --output=j', 'chat --output=json '],
    ['chat -o j', 'chat -o json '],
    ['chat -o=j', 'chat -o=json '],
    ['chat send --file=rep', 'chat send --file=report\\ one.txt '],
    ['chat send --file rep', 'chat send --file report\\ one.txt '],
    ['chat --context w', 'chat --context work '],
    ['chat --quiet --output json room m', 'chat --quiet --output json room members '],
    ['chat send @alice rep', 'chat send @alice rep'],
    ['true; CHAT_QUIET=1 chat whoa', 'true; CHAT_QUIET=1 chat whoami '],
    ['~/no/such/chat whoa', '~/no/such/chat whoa'],
  ])('makes of %s: %s', async (typed, expected) => {
    expect(await pressTab(shell, source(shell), typed)).toBe(expected);
  });

  it('stays as it is without a server', async () => {
    const setup = `${source(shell)}\nexport CHAT_SERVER=plain://127.0.0.1:1`;
    expect(await pressTab(shell, setup, 'chat send @alb')).toBe('chat send @alb');
  });
});

describe('zsh', () => {
  it('lists what fits with what it is', async () => {
    const terminal = await open('zsh', source('zsh'));
    terminal.type('chat send @al\t');
    await terminal.shows(/@albert +-- offline[\s\S]*@alice +-- online/);
  });

  it('loads the script at the first Tab when it is _chat in a directory of fpath', async () => {
    const directory = join(alice.home, 'zsh-functions');
    mkdirSync(directory);
    copyFileSync(join(alice.home, 'chat.zsh'), join(directory, '_chat'));
    const setup = `fpath=(${directory} $fpath)\nautoload -Uz compinit && compinit -D`;
    expect(await pressTab('zsh', setup, 'chat send @alb')).toBe('chat send @albert ');
  });
});

describe('bash', () => {
  it('lists rooms as they have to be typed', async () => {
    const terminal = await open('bash', source('bash'));
    terminal.type('chat send \\#op\t\t');
    await terminal.shows(/\\#operations +\\#ops/);
  });

  it('keeps to names when @ and = break no words', async () => {
    const setup = `${source('bash')}\nCOMP_WORDBREAKS=$' \\t\\n'`;
    expect(await pressTab('bash', setup, 'chat send @alb')).toBe('chat send @albert ');
    expect(await pressTab('bash', setup, 'chat --output=j')).toBe('chat --output=json ');
  });

  it('with bash-completion loads the script at the first Tab, and completes behind other commands', async () => {
    needBashCompletion();
    const directory = join(alice.home, 'bash-completion', 'completions');
    mkdirSync(directory, { recursive: true });
    copyFileSync(join(alice.home, 'chat.bash'), join(directory, 'chat'));
    const setup = `export BASH_COMPLETION_USER_DIR=${join(alice.home, 'bash-completion')}\nsource ${bashCompletion}`;
    expect(await pressTab('bash', setup, 'chat send @alb')).toBe('chat send @albert ');
    expect(await pressTab('bash', setup, 'nice chat --output=j')).toBe('nice chat --output=json ');
    expect(await pressTab('bash', setup, "nice chat send '#ope")).toBe("nice chat send '#operations' ");
  });

  /** Calls the completion function as bash does. */
  function reply(line: string, words: readonly string[], extra?: NodeJS.ProcessEnv): string[] {
    const program = `source "$1"; shift
      COMP_LINE=$1 COMP_POINT=\${#1} COMP_TYPE=9 COMP_KEY=9; shift
      COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
      _chat_complete "$1" "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD - 1]}"
      (( \${#COMPREPLY[@]} == 0 )) || printf '%s\n' "\${COMPREPLY[@]}"`;
    const script = join(alice.home, 'chat.bash');
    return runShell('bash', ['--norc', '-c', program, 'bash', script, line, ...words], extra);
  }

  it.each([
    ['chat send @al', ['chat', 'send', '@al'], ['@albert', '@alice']],
    ['chat send @al', ['chat', 'send', '@', 'al'], ['albert', 'alice']],
    ["chat send '#op", ['chat', 'send', "'#op"], ['#operations', '#ops']],
    ['chat send \\#op', ['chat', 'send', '\\#op'], ['\\#operations', '\\#ops']],
    ['chat --output=', ['chat', '--output', '='], ['=text', '=json']],
    ['chat --output=j', ['chat', '--output', '=', 'j'], ['json']],
    ['chat send --file ', ['chat', 'send', '--file', ''], []],
    ['chat room ', ['chat', 'room', ''], ['members']],
    ["chat --server 'no server' room ", ['chat', '--server', "'no server'", 'room', ''], ['members']],
  ])('answers for %s as %j: %j', (line, words, expected) => {
    expect(reply(line, words)).toEqual(expected);
  });

  it.each(withoutNames)('is silent %s', async (_when, outside) => {
    const extra = await outside();
    expect(reply('chat send ', ['chat', 'send', ''], extra)).toEqual([]);
    expect(reply('chat room ', ['chat', 'room', ''], extra)).toEqual(['members']);
  });

  it('runs nothing of what was typed', () => {
    expect(reply('chat send $(touch made-by-tab)', ['chat', 'send', '$(touch made-by-tab)'])).toEqual([]);
    expect(existsSync(join(alice.home, 'files', 'made-by-tab'))).toBe(false);
  });
});
