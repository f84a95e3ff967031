import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Key, KeyReader } from '../../../src/cli/interactive/keys.ts';

function keysOf(...chunks: (string | Uint8Array)[]): Key[] {
  const keys: Key[] = [];
  const reader = new KeyReader((key) => keys.push(key));
  for (const chunk of chunks) reader.write(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  reader.close();
  return keys;
}

describe('what a terminal sends', () => {
  it.each<[string, string]>([
    ['\u0001', 'ctrl-a'],
    ['\r', 'enter'],
    ['\n', 'line-break'],
    ['\u001b\r', 'alt-enter'],
    ['\t', 'tab'],
    ['\u007f', 'backspace'],
    ['\u001b[A', 'up'],
    ['\u001bOB', 'down'],
    ['\u001b[5~', 'page-up'],
    ['\u001b[6~', 'page-down'],
    ['\u001b[H', 'home'],
    ['\u001b[F', 'end'],
    ['\u001b[3~', 'delete'],
    ['\u001b[1;5C', 'ctrl-right'],
    ['\u001b1', 'alt-1'],
    ['\u001ba', 'alt-a'],
  ])('%j is the key %s', (sequence, name) => {
    expect(keysOf(sequence)).toEqual([{ kind: 'named', name }]);
  });

  it('as text is text, whatever its script, also when a character comes in pieces', () => {
    const bytes = Buffer.from('é😀');
    expect(keysOf('aA', bytes.subarray(0, 1), bytes.subarray(1, 4), bytes.subarray(4))).toEqual(
      ['a', 'A', 'é', '😀'].map((text) => ({ kind: 'text', text })),
    );
  });

  it('between the marks of a paste is one paste, also in pieces, and no key in it does anything', () => {
    expect(keysOf('\u001b[200~one\r\ntw', 'o\t\u0003', '\u001b[201~x')).toEqual([
      { kind: 'paste', text: 'one\r\ntwo\t\u0003' },
      { kind: 'text', text: 'x' },
    ]);
  });

  it('in a paste whose end never comes is taken after a pause, and keys are keys again', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const keys: Key[] = [];
    const reader = new KeyReader((key) => keys.push(key));
    const type = (text: string) => reader.write(Buffer.from(text));
    type('\u001b[200~one\r');
    vi.advanceTimersByTime(4_999);
    type('two');
    vi.advanceTimersByTime(4_999);
    expect(keys).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(keys).toEqual([{ kind: 'paste', text: 'one\rtwo' }]);
    type('\r\u001b[201~');
    expect(keys.slice(1)).toEqual([{ kind: 'named', name: 'enter' }]);
    type('\u001b[200~never seen');
    reader.close();
    vi.advanceTimersByTime(10_000);
    expect(keys).toHaveLength(2);
  });

  it('in a paste is kept up to a bound', () => {
    const [paste] = keysOf(`\u001b[200~${'x'.repeat(100_000)}\u001b[201~`);
    expect(paste).toEqual({ kind: 'paste', text: 'x'.repeat(65_536) });
  });
});
