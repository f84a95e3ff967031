import { connectClear, connectSecure, type TestClient } from './client.ts';
import { until } from './until.ts';

/** One frame as it came. */
export interface ReceivedFrame {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly payload: Buffer;
}

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Spells one frame of a client (RFC 6455 section 5.2), right or wrong. */
export function frame(
  payload: string | Uint8Array,
  {
    opcode = opcodes.text as number,
    isFinal = true,
    reserved = 0,
    isMasked = true,
    announced = undefined as number | undefined,
  } = {},
): Buffer {
  const bytes = Buffer.from(payload as string);
  const length = announced ?? bytes.length;
  const head = [(isFinal ? 0x80 : 0) | (reserved << 4) | opcode];
  const masked = isMasked ? 0x80 : 0;
  if (length <= 125) head.push(masked | length);
  else if (length <= 0xffff) head.push(masked | 126, length >> 8, length & 0xff);
  else {
    const eight = Buffer.alloc(8);
    eight.writeBigUInt64BE(BigInt(length));
    head.push(masked | 127, ...eight);
  }
  if (!isMasked) return Buffer.concat([Buffer.from(head), bytes]);
  const mask = Buffer.of(0x37, 0xfa, 0x21, 0x3d);
  return Buffer.concat([Buffer.from(head), mask, bytes.map((byte, at) => byte ^ (mask[at % 4] ?? 0))]);
}

/** The Close frame of a client. */
export function closeFrame(code?: number, reason = ''): Buffer {
  if (code === undefined) return frame('', { opcode: opcodes.close });
  return frame(Buffer.concat([Buffer.of(code >> 8, code & 0xff), Buffer.from(reason)]), {
    opcode: opcodes.close,
  });
}

/** The head of a request for an upgrade; a header that is undefined is left out. */
export function upgradeRequest(
  port: number,
  {
    path = '/ws',
    method = 'GET',
    headers = {},
  }: { path?: string; method?: string; headers?: Readonly<Record<string, string | undefined>> } = {},
): string {
  const all: Record<string, string | undefined> = {
    Host: `127.0.0.1:${port}`,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}: ${value}`,
  );
  return `${[`${method} ${path} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n`;
}

/** The client's end of a WebSocket, byte by byte. */
export class RawWebSocket {
  readonly client: TestClient;
  /** How many bytes the answer to the handshake took. */
  readonly #start: number;

  constructor(client: TestClient) {
    this.client = client;
    this.#start = client.received.indexOf('\r\n\r\n') + 4;
  }

  /** Every whole frame that came. */
  get frames(): ReceivedFrame[] {
    const bytes = this.client.received.subarray(this.#start);
    const frames: ReceivedFrame[] = [];
    let at = 0;
    while (at + 2 <= bytes.length) {
      const [first = 0, second = 0] = bytes.subarray(at);
      let [length, start] = [second, at + 2];
      if (second === 126)
        [length, start] = [start + 2 <= bytes.length ? bytes.readUInt16BE(start) : 0, start + 2];
      else if (second === 127)
        [length, start] = [start + 8 <= bytes.length ? Number(bytes.readBigUInt64BE(start)) : 0, start + 8];
      if (start + length > bytes.length) break;
      frames.push({
        opcode: first & 0x0f,
        isFinal: first >= 0x80,
        payload: Buffer.from(bytes.subarray(start, start + length)),
      });
      at = start + length;
    }
    return frames;
  }

  /** Every text message that came. */
  get texts(): string[] {
    return this.frames
      .filter(({ opcode }) => opcode === opcodes.text)
      .map(({ payload }) => payload.toString());
  }

  /** The same, parsed as JSON. */
  get messages(): unknown[] {
    return this.texts.map((text) => JSON.parse(text));
  }

  /** What the server's Close frame said, once it has come. */
  get closed(): { code: number | undefined; reason: string } | undefined {
    const close = this.frames.find(({ opcode }) => opcode === opcodes.close);
    if (!close) return undefined;
    const { payload } = close;
    return {
      code: payload.length < 2 ? undefined : payload.readUInt16BE(),
      reason: payload.subarray(2).toString(),
    };
  }

  write(bytes: Uint8Array): void {
    this.client.write(bytes);
  }

  say(text: string): void {
    this.write(frame(text));
  }

  call(id: number | string, method: string, params: unknown = {}): void {
    this.say(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
  }

  async messageCount(count: number): Promise<void> {
    await until(() => this.texts.length >= count);
  }

  /** Resolves with the server's Close. */
  async closing(): Promise<{ code: number | undefined; reason: string }> {
    await until(() => this.closed !== undefined || this.client.isClosed);
    return this.closed ?? { code: 1006, reason: '' };
  }
}

/** Connects and shakes hands. */
export async function connectWebSocket(
  port: number,
  { tls = false, ...request }: Parameters<typeof upgradeRequest>[1] & { tls?: boolean } = {},
): Promise<RawWebSocket> {
  const client = tls ? await connectSecure(port) : await connectClear(port, { allowHalfOpen: true });
  client.write(upgradeRequest(port, request));
  await until(() => client.text.includes('\r\n\r\n') || client.isClosed);
  if (!client.text.startsWith('HTTP/1.1 101 ')) throw new Error(`no handshake: ${client.text}`);
  return new RawWebSocket(client as TestClient);
}
