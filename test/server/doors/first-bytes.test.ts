import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DoorKind, firstBytes } from '../../../src/server/doors/first-bytes.ts';

const limit = 131_072;

function decide(text: string | Uint8Array): DoorKind | undefined {
  return firstBytes(limit).feed(Buffer.from(text));
}

function decideByteByByte(text: string | Uint8Array): DoorKind | undefined {
  const detector = firstBytes(limit);
  for (const byte of Buffer.from(text)) {
    const kind = detector.feed(Uint8Array.of(byte));
    if (kind) return kind;
  }
  return undefined;
}

const decided: ReadonlyArray<readonly [string, DoorKind]> = [
  ['\x16\x03\x01', 'tls'],
  ['{', 'line'],
  ['[', 'batch'],
  ['/', 'slash'],
  ['@', 'slash'],
  ['GET / HTTP/1.1\r\n', 'http'],
  ['HEAD ', 'http'],
  ['POST ', 'http'],
  ['PUT ', 'http'],
  ['DELETE ', 'http'],
  ['CONNECT ', 'http'],
  ['OPTIONS ', 'http'],
  ['TRACE ', 'http'],
  ['PATCH ', 'http'],
  ['PROPFIND ', 'http'],
  ['UNSUBSCRIBE / HTTP/1.1\r\n', 'http'],
  ['UNSUBSCRIBED\n', 'text'],
  ['PRI * HTTP/2.0\r\n', 'http'],
  ['GET /a|b HTTP/1.1\r\n', 'http'],
  ['REGISTER|alice|x\n', 'pipe'],
  ['AUTH|', 'pipe'],
  ['GET|x\n', 'pipe'],
  ['POST|x\n', 'pipe'],
  ['|', 'pipe'],
  ['a long first line | with a bar\n', 'pipe'],
  ['PING\n', 'pipe'],
  ['PING\r\n', 'pipe'],
  ['USERS\n', 'pipe'],
  ['LOGOUT\r\n', 'pipe'],
  ['QUIT\n', 'pipe'],
  ['ping\n', 'text'],
  ['PINGS\n', 'text'],
  ['PING \n', 'text'],
  ['QUIT\r\r\n', 'text'],
  ['GET\n', 'text'],
  ['GETTING on\n', 'text'],
  ['OPTIONSX\n', 'text'],
  ['hello, everyone\n', 'text'],
  [' {"jsonrpc":"2.0"}\n', 'text'],
  ['\x80\x2e\x01\xff\n', 'text'],
  ['\r\n\n{', 'line'],
  ['\nPING\n', 'pipe'],
];

describe('the first bytes of a connection', () => {
  it.each(decided)('%j is decided as %s, in one piece and byte by byte', (text, kind) => {
    expect([decide(Buffer.from(text, 'latin1')), decideByteByByte(Buffer.from(text, 'latin1'))]).toEqual([
      kind,
      kind,
    ]);
  });

  it.each(['', 'G', 'GE', 'GET', 'OPTIONS', 'P', 'PIN', 'PING', 'PING\r', 'hello', '\r\n\r\n', 'LOGOUT'])(
    '%j is not decided yet',
    (text) => {
      expect([decide(text), decideByteByByte(text)]).toEqual([undefined, undefined]);
    },
  );

  it('does not depend on how the bytes were cut', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.constantFrom(...decided.map(([text]) => text)), fc.string()),
        fc.nat(20),
        (text, cut) => {
          const bytes = Buffer.from(text);
          const detector = firstBytes(limit);
          const cutting = detector.feed(bytes.subarray(0, cut)) ?? detector.feed(bytes.subarray(cut));
          expect(cutting).toBe(decideByteByByte(bytes));
        },
      ),
    );
  });

  it('takes a first line of exactly the limit, and refuses one byte more', () => {
    expect(decide(`${'x'.repeat(limit)}\n`)).toBe('text');
    expect(decide('x'.repeat(limit))).toBe(undefined);
    expect(decide('x'.repeat(limit + 1))).toBe('too-long');
    expect(decide(`${'x'.repeat(limit + 1)}\n`)).toBe('too-long');
    expect(firstBytes(0).feed(Buffer.from('x'.repeat(limit + 1)))).toBe(undefined);
  });

  it.each([
    ['PING', 'pipe'],
    ['QUIT\r', 'pipe'],
    ['hello', 'text'],
    ['GET', 'text'],
    ['', undefined],
    ['\r\n', undefined],
  ] as const)('a peer that ends after %j is decided as %s', (text, kind) => {
    const detector = firstBytes(limit);
    expect(detector.feed(Buffer.from(text))).toBe(undefined);
    expect(detector.end()).toBe(kind);
  });
});
