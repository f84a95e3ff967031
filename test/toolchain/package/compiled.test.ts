import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { compile } from '../../../scripts/package/compiled.ts';
import { writeArchive } from '../../../scripts/package/modules.ts';

let scratch: string;
let archive: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'chat-compiled-'));
  archive = join(scratch, 'archive');
  vi.stubEnv('TMPDIR', scratch);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(scratch, { recursive: true });
});

/** A program that serves until it is asked to end, and says in a file which process it is; `client` is what all else does. */
async function archiveOf(client: string): Promise<void> {
  const build = mkdtempSync(join(scratch, 'build-'));
  const text = `import { writeFileSync } from 'node:fs';
    if (process.argv[2] === 'serve') {
      writeFileSync(${JSON.stringify(join(scratch, 'server'))}, String(process.pid));
      process.on('SIGTERM', () => process.exit(0));
      setInterval(() => {}, 1000);
      console.log('127.0.0.1:1 and more');
    } else { ${client} }`;
  writeFileSync(join(build, 'chat.mjs'), text);
  await writeArchive(build, archive, 'licenses');
}

const isServing = (): boolean => {
  try {
    return process.kill(Number(readFileSync(join(scratch, 'server'), 'utf8')), 0);
  } catch {
    return false;
  }
};
const leftOver = () => readdirSync(scratch).filter((name) => name.startsWith('chat-package-'));

it('keeps what was compiled in a conversation, which goes to the server that is up', async () => {
  await archiveOf(`if (process.env.CHAT_SERVER !== '127.0.0.1:1') process.exit(1);`);
  expect(await compile(archive)).toEqual(['chat.mjs.compiled']);
  expect(readFileSync(join(archive, 'compiled.txt'), 'utf8')).toBe('chat.mjs');
  expect({ isServing: isServing(), left: leftOver() }).toEqual({ isServing: false, left: [] });
});

it('ends the server and says what failed where the conversation does', async () => {
  await archiveOf(`console.error('chat: no room here'); process.exit(3);`);
  await expect(compile(archive)).rejects.toThrow('chat: no room here');
  expect({ isServing: isServing(), left: leftOver() }).toEqual({ isServing: false, left: [] });
});

it('leaves no server behind where the packager is killed', async () => {
  await archiveOf('');
  const server = spawn(process.execPath, ['scripts/package/warm-up.cjs', archive, 'missing', 'serve']);
  const ended = once(server, 'exit');
  await once(server.stdout, 'data');
  server.stdin.end();
  expect(await ended).toEqual([null, 'SIGKILL']);
});
