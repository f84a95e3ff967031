import { readdirSync, readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, openLab, type RunningServer } from './support/lab.ts';

/** Placeholders in what a transcript receives; a name after a colon keeps the value for later lines. */
const placeholders: Readonly<Record<string, string>> = {
  uuid: '[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}',
  instant: '\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z',
  base64: '[A-Za-z0-9+/]+=*',
  number: '\\d+',
  text: '[^"]*',
  bindings: '("tls-exporter")?',
};

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

/** Plays a transcript: `> ` is sent with a line end, `< ` must be the next line received, `<EOF` the end of the connection. */
async function play(text: string, socket: Socket): Promise<void> {
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const values = new Map([['token', token]]);
  try {
    for (const line of text.split('\n')) {
      if (line.startsWith('> ')) {
        socket.write(
          `${line.slice(2).replaceAll(/\{=(\w+)\}/g, (_, name: string) => values.get(name) ?? '')}\n`,
        );
      } else if (line === '<EOF') {
        expect(await lines.next()).toMatchObject({ done: true });
      } else if (line.startsWith('< ')) {
        const next = await lines.next();
        expect(next.done, `the connection ended before: ${line}`).not.toBe(true);
        expect(next.value).toMatch(pattern(line.slice(2)));
      }
    }
  } finally {
    socket.destroy();
  }
}

function pattern(line: string): RegExp {
  const parts = line.split(/(\{\w+\})/).map((part) => {
    const known = /^\{(\w+)\}$/.exec(part)?.[1];
    return known !== undefined && known in placeholders
      ? placeholders[known]
      : part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  });
  return new RegExp(`^${parts.join('')}$`);
}

describe.each(Object.keys(transports))('over %s', (transport) => {
  const directory = new URL('../wire/', import.meta.url).pathname;
  it.each(readdirSync(directory).filter((name) => name.endsWith('.txt')))(
    '%s goes as written',
    async (name) => {
      const open = transports[transport];
      if (open) await play(readFileSync(join(directory, name), 'utf8'), open());
    },
  );
});
