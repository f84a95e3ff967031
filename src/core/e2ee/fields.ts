import { utf8 } from '../crypto/bytes.ts';

/** One field of a canonical encoding: bytes, a text, or a whole number of up to 53 bits. */
export type Field = Uint8Array | string | number;

const decoder = new TextDecoder('utf-8', { fatal: true });
/** A field's length stands before it, in bytes. */
const lengthBytes = 4;
const numberBytes = 8;

/**
 * Joins fields so that no two lists of fields give the same bytes: each after its length, numbers as 8 bytes, most significant
 * first. What is signed and hashed is always this.
 */
export function writeFields(fields: readonly Field[]): Uint8Array {
  const parts = fields.map(bytesOf);
  const joined = new Uint8Array(parts.reduce((length, part) => length + lengthBytes + part.length, 0));
  const view = new DataView(joined.buffer);
  let offset = 0;
  for (const part of parts) {
    view.setUint32(offset, part.length);
    joined.set(part, offset + lengthBytes);
    offset += lengthBytes + part.length;
  }
  return joined;
}

/** Takes apart what {@link writeFields} has joined, into exactly `count` fields where that is given; undefined for all else. */
export function readFields(bytes: Uint8Array, count?: number): readonly Uint8Array[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields: Uint8Array[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    if (fields.length === count || bytes.length - offset < lengthBytes) return undefined;
    const end = offset + lengthBytes + view.getUint32(offset);
    if (end > bytes.length) return undefined;
    fields.push(bytes.subarray(offset + lengthBytes, end));
    offset = end;
  }
  return count === undefined || fields.length === count ? fields : undefined;
}

/** The text of a field; undefined when it is no well-formed UTF-8. */
export function textOf(field: Uint8Array): string | undefined {
  try {
    return decoder.decode(field);
  } catch {
    return undefined;
  }
}

/** The number of a field; undefined when it has no 8 bytes or more than 53 bits. */
export function numberOf(field: Uint8Array): number | undefined {
  if (field.length !== numberBytes) return undefined;
  const value = new DataView(field.buffer, field.byteOffset).getBigUint64(0);
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;
}

function bytesOf(field: Field): Uint8Array {
  if (typeof field === 'string') return utf8(field);
  if (typeof field !== 'number') return field;
  const bytes = new Uint8Array(numberBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(field));
  return bytes;
}
