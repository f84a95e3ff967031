import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, utf8 } from '../../../src/core/crypto/bytes.ts';
import { numberOf, readFields, textOf, writeFields } from '../../../src/core/e2ee/fields.ts';

describe('fields', () => {
  it('come out as they went in, whatever is in them', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (fields) => {
        const bytes = writeFields(fields);
        expect(readFields(bytes)).toEqual(fields);
        expect(readFields(bytes, fields.length)).toEqual(fields);
        expect(readFields(bytes, fields.length + 1)).toBeUndefined();
        if (fields.length > 0) expect(readFields(bytes, fields.length - 1)).toBeUndefined();
      }),
    );
  });

  it('give other bytes for every other list', () => {
    expect(writeFields(['ab', 'c'])).not.toEqual(writeFields(['a', 'bc']));
    expect(writeFields(['a', ''])).not.toEqual(writeFields(['a']));
  });

  it('are refused when any byte is missing or too many', () => {
    const bytes = writeFields(['realm', 7]);
    for (let length = 1; length < bytes.length; length++) {
      expect(readFields(bytes.subarray(0, length), 2)).toBeUndefined();
    }
    expect(readFields(concat(bytes, new Uint8Array([0])), 2)).toBeUndefined();
    expect(readFields(new Uint8Array([255, 255, 255, 255]))).toBeUndefined();
  });

  it('hold whole numbers of up to 53 bits, and texts in well-formed UTF-8', () => {
    const [most, text] = readFields(writeFields([Number.MAX_SAFE_INTEGER, 'Zoë 🐢'])) ?? [];
    expect(most && numberOf(most)).toBe(Number.MAX_SAFE_INTEGER);
    expect(text && textOf(text)).toBe('Zoë 🐢');
    expect(numberOf(utf8('7'))).toBeUndefined();
    expect(numberOf(new Uint8Array([0, 0x20, 0, 0, 0, 0, 0, 0]))).toBeUndefined();
    expect(textOf(new Uint8Array([0xff]))).toBeUndefined();
  });
});
