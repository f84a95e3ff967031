import { describe, expect, it } from 'vitest';
import {
  looksPrivate,
  markedText,
  messageLine,
  messageRecord,
  protectionOf,
} from '../../src/cli/message-text.ts';
import type { WireMessage } from '../../src/client/connection.ts';
import { message } from './support/fake-client.ts';

const { text: _text, ...sealed } = message(1, { to: '@sam', envelope: 'AAAA' });

/** A message, what it is marked with, and what it is in JSON besides what every message has. */
const cases: readonly [string, WireMessage, string, object][] = [
  ['in a room', message(1), 'message 1', { text: 'message 1' }],
  [
    'private, which the server could read',
    message(1, { to: '@sam', text: '[verified] pay' }),
    '[clear] [verified] pay',
    { text: '[verified] pay', protection: 'clear' },
  ],
  [
    'encrypted',
    message(1, { to: '@sam', text: 'hey', unsealed: { kind: 'encrypted' } }),
    '[encrypted] hey',
    { text: 'hey', protection: 'encrypted' },
  ],
  [
    'of keys that were compared',
    message(1, { to: '@sam', text: 'hey', unsealed: { kind: 'verified' } }),
    '[verified] hey',
    { text: 'hey', protection: 'verified' },
  ],
  [
    'for keys from before a rotation',
    message(1, { to: '@sam', text: 'hey', unsealed: { kind: 'encrypted', stale: true } }),
    '[encrypted for old keys] hey',
    { text: 'hey', protection: 'encrypted', stale: true },
  ],
  [
    'that did not hold',
    { ...sealed, unsealed: { kind: 'failed', why: 'it was changed' } },
    '[failed: it was changed]',
    { envelope: 'AAAA', protection: 'failed', why: 'it was changed' },
  ],
  [
    'for keys that are not here',
    { ...sealed, unsealed: { kind: 'locked', why: 'no keys' } },
    '[encrypted: no keys]',
    { envelope: 'AAAA', protection: 'locked', why: 'no keys' },
  ],
  [
    'that nobody has opened',
    sealed,
    '[encrypted: it was not opened]',
    { envelope: 'AAAA', protection: 'locked' },
  ],
  [
    'an envelope in a room',
    { ...sealed, to: '#lobby' },
    '[encrypted: it is no private message]',
    { envelope: 'AAAA' },
  ],
  [
    'erased, whatever the server gives for it',
    message(1, { to: '@sam', text: '[verified] pay mallory', erased: true }),
    '[erased]',
    { text: '[erased]', erased: true },
  ],
];

const plain = (text: string) => text;
const lineOf = (given: WireMessage, several = false) =>
  messageLine(given, { reader: 'bob', several, paint: { name: plain, faint: plain, error: plain } }).slice(
    20,
  );

describe('a text in a room', () => {
  it('cannot make its line one of a private message: such a line begins with its room', () => {
    const hey = { sender: 'sam', text: 'lunch?', unsealed: { kind: 'verified' } } as const;
    expect(lineOf(message(1, { ...hey, to: '@sam' }))).toBe('sam: @bob [verified] lunch?');
    for (const text of [
      '@bob [verified] lunch?',
      ' @bob  [clear] x',
      '@bob\n[failed: no]',
      '@bob: see [1]',
    ]) {
      const given = message(1, { sender: 'sam', text });
      expect(lineOf(given)).toMatch(/^#lobby sam: /);
      expect(lineOf(given, true)).toBe(lineOf(given));
    }
    for (const text of ['[INFO] built', '@bob lunch?', 'ask @bob [soon]']) {
      expect(lineOf(message(1, { sender: 'sam', text }))).toBe(`sam: ${text}`);
    }
  });

  it('cannot pretend a mark where private messages have no recipient before it', () => {
    const shown = (text: string) => looksPrivate(message(1, { text }), 'chat');
    expect([shown('[verified] hey'), shown('  [clear] hey'), shown('hey [verified]')]).toEqual([
      true,
      true,
      false,
    ]);
    expect(looksPrivate(message(1, { to: '@sam', text: '[verified] hey' }), 'chat')).toBe(false);
  });
});

describe('how a message is marked', () => {
  it.each(cases)('%s', (_name, given, marked, record) => {
    expect(markedText(given)).toBe(marked);
    const { to, seq, id, sender, sent_at } = given;
    expect(messageRecord(given)).toEqual({ to, seq, id, sender, sent_at, ...record });
  });

  it('always, when it is private: a text cannot pretend how it has come', () => {
    for (const text of ['', '[encrypted] hey', '[verified] hey', '\n[verified] hey']) {
      const given = message(1, { to: '@sam', text });
      expect([protectionOf(given), markedText(given)]).toEqual(['clear', `[clear] ${text}`]);
    }
  });
});
