import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { chat, type Person, World } from './support/server.ts';

const unlimited = ['--messages-per-second', '0'];
const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `line ${index + 1}`);

/** Waits for what another process does in its own time. */
const eventually = <T>(check: () => T) => vi.waitFor(check, { interval: 10, timeout: 60_000 });

/** The texts of #lobby, oldest first. */
async function lobby(person: Person): Promise<string[]> {
  const messages = await person.json<{ text: string }>(['tail', '#lobby', '--since', 'all', '--once']);
  return messages.map(({ text }) => text);
}

async function opened(...flags: string[]) {
  const world = new World();
  const server = await world.servePeople([...unlimited, ...flags]);
  return { world, server, alice: await world.person('alice', server).register() };
}

describe('send --lines', () => {
  it('that a server leaves in the middle goes on as its error says, and every line is stored once and in order', async () => {
    const { world, server, alice } = await opened();
    const texts = numbered(6_000);
    const sending = spawn(chat, ['send', '--lines', '--timeout', '3'], { env: alice.env });
    let err = '';
    sending.stderr.on('data', (chunk) => {
      err += chunk;
    });
    sending.stdin.write(`${texts.slice(0, 3_000).join('\n')}\n`);
    await eventually(async () =>
      expect(await alice.succeed(['tail', '--once', '-n', '1'])).toContain('line '),
    );
    await server.stop('SIGKILL');
    sending.stdin.on('error', () => {});
    sending.stdin.end(texts.slice(3_000).join('\n'));
    const [code] = await once(sending, 'close');
    expect(code).toBe(3);
    const [, stored, key, line] =
      /; ([\d,]+) messages? (?:is|are) stored; to go on, send the same lines with --key (\S+) --from-line (\d+)\n$/.exec(
        err,
      ) ?? [];
    expect(Number(stored?.replace(',', ''))).toBe(Number(line) - 1);
    expect(Number(line)).toBeGreaterThan(1);
    expect(Number(line)).toBeLessThan(texts.length);

    await world.serve(unlimited, { listen: server.address });
    const again = ['send', '--lines', '--key', String(key)];
    await alice.succeed([...again, '--from-line', String(line)], texts.join('\n'));
    expect(await lobby(alice)).toEqual(texts);
    // The whole of it under that key is the same too.
    await alice.succeed(again, texts.join('\n'));
    expect(await lobby(alice)).toEqual(texts);
  });

  it('that is stopped by SIGINT tells the same', async () => {
    const { alice } = await opened();
    const sending = spawn(chat, ['send', '--lines', '--key', 'K', '-o', 'json'], { env: alice.env });
    let err = '';
    sending.stderr.on('data', (chunk) => {
      err += chunk;
    });
    sending.stdin.on('error', () => {}).write('one\n\nthree\nfour');
    await once(sending.stdout, 'data');
    await eventually(async () => expect(await lobby(alice)).toHaveLength(2));
    sending.kill('SIGINT');
    expect(await once(sending, 'exit')).toEqual([130, null]);
    expect(err).toBe(
      'stopped; 2 messages are stored; to go on, send the same lines with --key K --from-line 4\n',
    );
    await alice.succeed(['send', '--lines', '--key', 'K', '--from-line', '4'], 'one\n\nthree\nfour');
    expect(await lobby(alice)).toEqual(['one', 'three', 'four']);
  });

  it('takes lines from a file, from a shell redirection, and from a pipe with a name', async () => {
    const { world, alice } = await opened();
    const file = world.path('lines');
    writeFileSync(file, 'one\r\ntwo\r\n');
    const shell = async (line: string) => {
      const child = spawn('bash', ['-c', line], { env: alice.env, stdio: ['ignore', 'inherit', 'inherit'] });
      expect(await once(child, 'exit')).toEqual([0, null]);
    };
    await shell(`'${chat}' send --lines --file '${file}'`);
    await shell(`'${chat}' send --lines < '${file}'`);
    await shell(`'${chat}' send --lines --file <(cat '${file}')`);
    expect(await lobby(alice)).toEqual(['one', 'two', 'one', 'two', 'one', 'two']);
  });

  it.each([
    ['a directory', '/', '--file: / is a directory'],
    ['a file that is not there', '/none/at/all', '--file: cannot read /none/at/all (ENOENT)'],
    ['a file below a file', '/dev/null/x', '--file: cannot read /dev/null/x (ENOTDIR)'],
  ])('%s is exit 2', async (_what, file, text) => {
    const alice = new World().person('alice', 'plain://127.0.0.1:1');
    for (const lines of [[], ['--lines']]) {
      expect(await alice.run(['send', ...lines, '--file', file])).toEqual({
        code: 2,
        out: '',
        err: `chat: ${text}\n`,
      });
    }
  });

  it.each([[['send']], [['send', '--lines']]])('a directory as stdin of %j is exit 2', async (args) => {
    const alice = new World().person('alice', 'plain://127.0.0.1:1');
    const child = spawn('sh', ['-c', `'${chat}' ${args.join(' ')} < /`], { env: alice.env });
    let err = '';
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    expect(await once(child, 'close')).toEqual([2, null]);
    expect(err).toBe('chat: stdin: cannot read a directory\n');
  });
});
