/** The first byte of a page that is part of a tree, with the length of its header (sqlite.org/fileformat2.html, 1.6). */
const headerBytes: ReadonlyMap<number, number> = new Map([
  [2, 12],
  [5, 12],
  [10, 8],
  [13, 8],
]);

/**
 * Where a page of a tree has bytes that mean nothing: between the list of its cells and the first of them, and in its free blocks
 * after their headers. None for a page of another kind, and for one that is not as a page must be. `header` is where the page's
 * header begins: 100 on the first page, 0 on the others.
 */
export function unusedOf(page: Uint8Array, header: 0 | 100): Array<readonly [first: number, after: number]> {
  const at = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const length = headerBytes.get(page[header] ?? 0);
  if (length === undefined) return [];
  const listEnd = header + length + 2 * at.getUint16(header + 3);
  // 65,536 does not fit, and is written as 0.
  const content = at.getUint16(header + 5) || 65_536;
  if (listEnd > content || content > page.length) return [];
  for (let cell = header + length; cell < listEnd; cell += 2) {
    if (at.getUint16(cell) < content) return [];
  }
  const unused: Array<readonly [number, number]> = listEnd < content ? [[listEnd, content]] : [];
  let block = at.getUint16(header + 1);
  for (let least = content; block !== 0; ) {
    if (block < least || block + 4 > page.length) return [];
    const end = block + at.getUint16(block + 2);
    if (end < block + 4 || end > page.length) return [];
    if (end > block + 4) unused.push([block + 4, end]);
    least = end;
    block = at.getUint16(block);
  }
  return unused;
}
