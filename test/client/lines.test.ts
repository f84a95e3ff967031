import { describe, expect, it } from 'vitest';
import { BadLine, LineCutter } from '../../src/client/lines.ts';

describe('the line cutter', () => {
  it('gives the same lines wherever the stream is cut, also in the middle of a character', () => {
    const lines = ['{"a":1}', '', 'grüße 🦜 漢字', 'x'.repeat(300)];
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    for (let at = 0; at <= bytes.length; at++) {
      const cutter = new LineCutter();
      expect([
        ...cutter.push(bytes.subarray(0, at), 1_000),
        ...cutter.push(bytes.subarray(at), 1_000),
      ]).toEqual(lines);
      expect(cutter.pendingBytes).toBe(0);
    }
  });

  it('gives the same lines when every byte comes alone', () => {
    const cutter = new LineCutter();
    const lines = [...Buffer.from('é🦜\nb\n')].flatMap((byte) => cutter.push(Buffer.from([byte]), 10));
    expect(lines).toEqual(['é🦜', 'b']);
  });

  it('takes a line of exactly the most bytes, with and without its end in the same chunk', () => {
    expect(new LineCutter().push(Buffer.from('12345\n'), 5)).toEqual(['12345']);
    const cutter = new LineCutter();
    expect(cutter.push(Buffer.from('123'), 5)).toEqual([]);
    expect(cutter.push(Buffer.from('45'), 5)).toEqual([]);
    expect(cutter.push(Buffer.from('\n'), 5)).toEqual(['12345']);
  });

  it('refuses a line of one byte more, before its end has come', () => {
    const cutter = new LineCutter();
    cutter.push(Buffer.from('123'), 5);
    expect(() => cutter.push(Buffer.from('456'), 5)).toThrow(BadLine);
    expect(() => new LineCutter().push(Buffer.from('123456\n'), 5)).toThrow('a line of more than 5 bytes');
  });

  it('refuses bytes that are no UTF-8, and tells what came', () => {
    expect(() => new LineCutter().push(Buffer.from([0x61, 0xff, 0x0a]), 10)).toThrow(
      expect.objectContaining({ message: 'bytes that are no UTF-8', start: 'a\ufffd' }),
    );
  });

  it('keeps what is unfinished', () => {
    const cutter = new LineCutter();
    expect(cutter.push(Buffer.from('a\nbc'), 10)).toEqual(['a']);
    expect([cutter.pendingBytes, cutter.pending]).toEqual([2, 'bc']);
  });
});
