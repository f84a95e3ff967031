import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { playHttp } from './support/http-transcript.ts';
import { type Lab, openLab, type RunningServer } from './support/lab.ts';
import { TranscriptValues } from './support/transcript.ts';
import { lineTransports, type Open, type Side, webSocketTransports } from './support/transports.ts';

let lab: Lab;
let server: RunningServer;
let token: string;

beforeAll(async () => {
  lab = openLab();
  server = await lab.serve(['--free-failed-logins', '0']);
  const env = { CHAT_SERVER: `127.0.0.1:${server.port}` };
  for (const name of ['alice', 'bob'])
    expect((await lab.run(name, ['register', name], { env })).code).toBe(0);
  token = (await lab.run('alice', ['token'], { env })).out.trim();
}, 300_000);
afterAll(() => lab.close());

/**
 * Plays a transcript of lines: `> ` is sent with a line end, `< ` must be the next line received, `<EOF` the end of the
 * connection with what was said about it, `= ` keeps a value by name. `>b ` and `<b ` are a second connection's. `<TLS ` comes
 * over TLS alone.
 */
async function play(
  text: string,
  values: TranscriptValues,
  { carrier, open }: { readonly carrier: string; readonly open: Open },
): Promise<void> {
  const sides = new Map<string, Side>();
  const sideOf = (name: string): Side => {
    const side = sides.get(name) ?? open(server.port);
    sides.set(name, side);
    return side;
  };
  try {
    for (const line of text.split('\n')) {
      if (line.startsWith('<TLS ') && carrier !== 'TLS') continue;
      const [, mark = '', name = '', rest = ''] = /^([=<>])(?:TLS|(\w*)) ?(.*)$/.exec(line) ?? [];
      if (mark === '=') values.keep(rest);
      else if (mark === '>') sideOf(name).send(await values.filled(rest));
      else if (mark === '<' && name.endsWith('EOF')) {
        const side = sideOf(name.slice(0, -3));
        expect([await side.lines.next(), side.end]).toEqual([{ done: true, value: undefined }, rest]);
      } else if (mark === '<') {
        const next = await sideOf(name).lines.next();
        expect(next.done, `the connection ended before: ${line}`).not.toBe(true);
        await values.expect(next.value ?? '', rest);
      } else if (!line.startsWith('#') && line !== '') {
        throw new Error(`not a line of a transcript: ${line}`);
      }
    }
  } finally {
    for (const side of sides.values()) side.destroy();
  }
}

const directory = new URL('../wire/', import.meta.url).pathname;
const transcripts = readdirSync(directory).filter((name) => name.endsWith('.txt'));
const isHttp = (name: string): boolean => name.startsWith('http-');
const isWebSocket = (name: string): boolean => name.startsWith('ws-');
const textOf = (name: string): string => readFileSync(join(directory, name), 'utf8');
/** What goes over every connection that speaks JSON-RPC. */
const isJsonRpc = (name: string): boolean =>
  /^> ?\{/m.exec(textOf(name))?.index === /^>/m.exec(textOf(name))?.index;

describe.each(Object.entries(lineTransports))('over %s', (carrier, open) => {
  it.each(transcripts.filter((name) => !isHttp(name) && !isWebSocket(name)))(
    '%s goes as written',
    async (name) => {
      await play(textOf(name), new TranscriptValues(token), { carrier, open });
    },
  );
});

describe.each(Object.entries(webSocketTransports))('over %s', (carrier, open) => {
  it.each(transcripts.filter((name) => isWebSocket(name) || isJsonRpc(name)))(
    '%s goes as written',
    async (name) => {
      await play(textOf(name), new TranscriptValues(token), { carrier, open });
    },
  );
});

describe.each(['HTTP', 'HTTPS'])('over %s', (scheme) => {
  it.each(transcripts.filter(isHttp))('%s goes as written', async (name) => {
    const where = { port: server.port, isSecure: scheme === 'HTTPS' };
    await playHttp(textOf(name), new TranscriptValues(token), where);
  });
});
