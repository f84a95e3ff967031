import { Agent as ClearAgent, type IncomingMessage, request as requestClear } from 'node:http';
import { request as requestSecure, Agent as SecureAgent } from 'node:https';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import type { TranscriptValues } from './transcript.ts';

/** Stands on every answer, whatever it is: transcripts do not repeat it (ASVS 3.4, 14.3.2). */
const everywhere: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

interface Part {
  readonly mark: '<' | '>' | '=';
  readonly lines: string[];
}

/**
 * Plays a transcript of HTTP. A block of `> ` is one request: its line, headers, and after an empty line its body. A block of
 * `< ` is its answer: the status, headers that must be there as written, and the body. All requests share one connection.
 */
export async function playHttp(
  transcript: string,
  values: TranscriptValues,
  where: { readonly port: number; readonly isSecure: boolean },
): Promise<void> {
  const agent = where.isSecure
    ? new SecureAgent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
    : new ClearAgent({ keepAlive: true, maxSockets: 1 });
  let answer: IncomingMessage | undefined;
  try {
    for (const { mark, lines } of partsOf(transcript)) {
      if (mark === '=') for (const line of lines) values.keep(line);
      else if (mark === '>') answer = await ask(await Promise.all(lines.map((line) => values.filled(line))));
      else if (answer) await check(answer, lines);
      else throw new Error('an answer before a request');
    }
  } finally {
    agent.destroy();
  }

  async function ask(lines: readonly string[]): Promise<IncomingMessage> {
    const [first = '', ...rest] = lines;
    const [method, path] = first.split(' ');
    const end = rest.indexOf('');
    const heads = end < 0 ? rest : rest.slice(0, end);
    const body = end < 0 ? '' : rest.slice(end + 1).join('\r\n');
    const request = (where.isSecure ? requestSecure : requestClear)({
      host: '127.0.0.1',
      port: where.port,
      method,
      path,
      agent,
      headers: {
        ...Object.fromEntries(heads.map((head) => head.split(/: (.*)/, 2))),
        ...(body === '' ? {} : { 'Content-Length': Buffer.byteLength(body) }),
      },
    });
    request.end(body);
    return new Promise((resolve, reject) => {
      request.once('response', resolve);
      request.once('error', reject);
    });
  }

  async function check(came: IncomingMessage, [status = '', ...rest]: readonly string[]): Promise<void> {
    const end = rest.indexOf('');
    await values.expect(`${came.statusCode} ${came.statusMessage}`, status);
    expect(came.headers).toMatchObject(everywhere);
    expect('strict-transport-security' in came.headers).toBe(where.isSecure);
    const given = new Map<string, string[]>();
    for (const [name, value] of Object.entries(came.headersDistinct)) given.set(name, value ?? []);
    for (const head of end < 0 ? rest : rest.slice(0, end)) {
      const [, name = '', value = ''] = /^(\S+): (.*)$/.exec(head) ?? [];
      const next = given.get(name.toLowerCase())?.shift();
      expect(next, `the answer has no (further) ${name}`).toBeDefined();
      await values.expect(next ?? '', value);
    }
    const body = await text(came);
    await values.expect(body, end < 0 ? '' : rest.slice(end + 1).join('\n'));
  }
}

function partsOf(transcript: string): Part[] {
  const parts: Part[] = [];
  let previous = '';
  for (const line of transcript.split('\n')) {
    const [, mark, rest = ''] = /^([<>=]) ?(.*)$/.exec(line) ?? [];
    if (mark === '<' || mark === '>' || mark === '=') {
      if (mark === previous) parts.at(-1)?.lines.push(rest);
      else parts.push({ mark, lines: [rest] });
    } else if (!line.startsWith('#') && line !== '') throw new Error(`not a line of a transcript: ${line}`);
    previous = mark ?? '';
  }
  return parts;
}
