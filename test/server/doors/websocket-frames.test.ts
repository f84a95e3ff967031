import type { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import * as ws from 'ws';
import { jsonRpcEvents } from '../../../src/core/codecs/json-rpc.ts';
import type { ChatEvent } from '../../../src/core/events.ts';
import type { Username } from '../../../src/core/model/username.ts';
import {
  pingFrame,
  pongFrame,
  textFrames,
  websocketEvents,
} from '../../../src/server/doors/websocket-frames.ts';

// It has no declaration, as it is not for everybody.
const { Receiver } = ws as unknown as { Receiver: new (options: { isServer: boolean }) => Writable };

/** What another implementation reads in these bytes. */
function read(bytes: Uint8Array): unknown[] {
  const receiver = new Receiver({ isServer: false });
  const seen: unknown[] = [];
  receiver.on('message', (data, isBinary) => seen.push([isBinary ? 'binary' : 'text', String(data)]));
  receiver.on('ping', (data) => seen.push(['ping', String(data)]));
  receiver.on('pong', (data) => seen.push(['pong', String(data)]));
  receiver.on('error', (error) => seen.push(error));
  receiver.write(bytes);
  return seen;
}

describe('frames', () => {
  it.each([0, 1, 125, 126, 127, 65_535, 65_536, 200_000])(
    'of a text of %i bytes are read as it',
    (length) => {
      const text = 'x'.repeat(length);
      expect(read(textFrames([text]))).toEqual([['text', text]]);
    },
  );

  it('of several texts are messages of their own, in order, counted in bytes of UTF-8', () => {
    const texts = ['', 'é'.repeat(63), '🙂'.repeat(20_000), 'last'];
    expect(read(textFrames(texts))).toEqual(texts.map((text) => ['text', text]));
  });

  it('of nothing are nothing', () => {
    expect(textFrames([])).toHaveLength(0);
  });

  it('of events are the lines of the line door, one message each', () => {
    const events: ChatEvent[] = [
      { type: 'presence', user: 'alice' as Username, online: true },
      { type: 'session-ended', reason: 'revoked' },
    ];
    const lines = Buffer.from(jsonRpcEvents.encode(events)).toString().split('\n').slice(0, -1);
    expect(read(websocketEvents.encode(events))).toEqual(lines.map((line) => ['text', line]));
  });

  it('of pings and pongs carry what they should', () => {
    const payload = Buffer.from('x'.repeat(125));
    expect([read(pingFrame), read(pongFrame(payload))]).toEqual([
      [['ping', '']],
      [['pong', 'x'.repeat(125)]],
    ]);
  });
});
