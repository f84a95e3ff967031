import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { askClaim } from '../../../src/server/data-directory/claim.ts';

let directory: string;
let path: string;
let server: Server | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'chat-claim-'));
  path = join(directory, 'a.sock');
});
afterEach(async () => {
  server?.close();
  await rm(directory, { recursive: true, force: true });
});

async function listen(answer: (socket: Socket) => void): Promise<void> {
  server = createServer((socket) => {
    socket.on('error', () => {});
    answer(socket);
  }).listen(path);
  await once(server, 'listening');
}

const claim = { state: 'claiming', pid: 7, since: '2026-01-01T00:00:00.000Z' };

describe('a claim that is asked', () => {
  test('tells what it is', async () => {
    await listen((socket) => socket.end(JSON.stringify(claim)));
    expect(await askClaim(path)).toEqual(claim);
  });

  test('is gone when nobody listens there', async () => {
    expect(await askClaim(path)).toBe('gone');
  });

  test('is gone, not silent, when it gives way as it is asked', async () => {
    await listen((socket) => {
      server?.close();
      socket.end();
    });
    expect(await askClaim(path)).toBe('gone');
  });

  test('is gone, not silent, when it gives way before it took the question', async () => {
    await listen(() => {});
    const answer = askClaim(path); // The kernel has connected; nobody has accepted.
    server?.close();
    expect(await answer).toBe('gone');
  });

  test('is asked again when it hung up, and heard when it then tells', async () => {
    let asked = 0;
    await listen((socket) => socket.end(asked++ === 0 ? '' : JSON.stringify(claim)));
    expect(await askClaim(path)).toEqual(claim);
  });

  test('is silent when what it says cannot be understood', async () => {
    await listen((socket) => socket.end('{"state":"asleep"}'));
    expect(await askClaim(path)).toBe('silent');
  });
});
