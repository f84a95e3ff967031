import { readdirSync, readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { playHttp } from './support/http-transcript.ts';
import { type Lab, openLab, type RunningServer } from './support/lab.ts';
import { TranscriptValues } from './support/transcript.ts';

let lab: Lab;
let server: RunningServer;
let token: string;

beforeAll(async () => {
  lab = openLab();
  server = await lab.serve();
  const env = { CHAT_SERVER: `127.0.0.1:${server.port}` };
  for (const name of ['alice', 'bob'])
    expect((await lab.run(name, ['register', name], { env })).code).toBe(0);
  token = (await lab.run('alice', ['token'], { env })).out.trim();
}, 60_000);
afterAll(() => lab.close());

const transports: Readonly<Record<string, () => Socket>> = {
  TCP: () => connectTcp({ port: server.port, host: '127.0.0.1' }),
  TLS: () => connectTls({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false }),
};

/** The lines of one connection of a transcript. */
interface Side {
  readonly socket: Socket;
  readonly lines: AsyncIterator<string>;
}

/**
 * Plays a transcript of lines: `> ` is sent with a line end, `< ` must be the next line received, `<EOF` the end of the
 * connection, `= ` keeps a value by name. `>b ` and `<b ` are a second connection's.
 */
async function play(text: string, values: TranscriptValues, open: () => Socket): Promise<void> {
  const sides = new Map<string, Side>();
  const sideOf = (name: string): Side => {
    const socket = sides.get(name)?.socket ?? open();
    const side = sides.get(name) ?? {
      socket,
      lines: createInterface({ input: socket })[Symbol.asyncIterator](),
    };
    sides.set(name, side);
    return side;
  };
  try {
    for (const line of text.split('\n')) {
      const [, mark = '', name = '', rest = ''] = /^([=<>])(\w*) ?(.*)$/.exec(line) ?? [];
      if (mark === '=') values.keep(rest);
      else if (mark === '>') sideOf(name).socket.write(`${await values.filled(rest)}\n`);
      else if (mark === '<' && name.endsWith('EOF')) {
        expect(await sideOf(name.slice(0, -3)).lines.next()).toMatchObject({ done: true });
      } else if (mark === '<') {
        const next = await sideOf(name).lines.next();
        expect(next.done, `the connection ended before: ${line}`).not.toBe(true);
        await values.expect(next.value ?? '', rest);
      } else if (!line.startsWith('#') && line !== '') {
        throw new Error(`not a line of a transcript: ${line}`);
      }
    }
  } finally {
    for (const { socket } of sides.values()) socket.destroy();
  }
}

const directory = new URL('../wire/', import.meta.url).pathname;
const transcripts = readdirSync(directory).filter((name) => name.endsWith('.txt'));
const isHttp = (name: string): boolean => name.startsWith('http-');
const textOf = (name: string): string => readFileSync(join(directory, name), 'utf8');

describe.each(Object.keys(transports))('over %s', (transport) => {
  it.each(transcripts.filter((name) => !isHttp(name)))('%s goes as written', async (name) => {
    const open = transports[transport];
    if (open) await play(textOf(name), new TranscriptValues(token), open);
  });
});

describe.each(['HTTP', 'HTTPS'])('over %s', (scheme) => {
  it.each(transcripts.filter(isHttp))('%s goes as written', async (name) => {
    const where = { port: server.port, isSecure: scheme === 'HTTPS' };
    await playHttp(textOf(name), new TranscriptValues(token), where);
  });
});
