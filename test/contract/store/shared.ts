import { describe, expect, test } from 'vitest';
import type { Examined } from '../support/examined.ts';

/** What the nodes of a server keep together. */
export function examineShared(on: Examined): void {
  const one = new Uint8Array([1, 2, 0, 255]);
  const other = new Uint8Array(3_000).fill(7);

  describe('what nodes share', () => {
    test('is nothing before somebody has kept it, and what was kept also after a restart', async () => {
      expect(await on.store.shared('keys')).toBeUndefined();
      expect(await on.store.share({ name: 'keys', value: one, instead: undefined })).toEqual(one);
      expect(await on.store.shared('keys')).toEqual(one);
      expect(await on.store.shared('authority')).toBeUndefined();
      expect(await (await on.reopen()).shared('keys')).toEqual(one);
    });

    test('is kept by one of two at once, and both get it', async () => {
      const both = await Promise.all(
        [one, other].map((value) => on.store.share({ name: 'keys', value, instead: undefined })),
      );
      expect(both[0]).toEqual(both[1]);
      expect([one, other]).toContainEqual(both[0]);
      expect(await on.store.shared('keys')).toEqual(both[0]);
    });

    test('is replaced by who knows what it takes the place of, and by nobody else', async () => {
      await on.store.share({ name: 'authority', value: one, instead: undefined });
      expect(await on.store.share({ name: 'authority', value: other, instead: undefined })).toEqual(one);
      expect(await on.store.share({ name: 'authority', value: other, instead: other })).toEqual(one);
      expect(await on.store.share({ name: 'authority', value: other, instead: one })).toEqual(other);
      expect(await on.store.shared('authority')).toEqual(other);
      // What has gone meanwhile is no reason to lose it.
      expect(await on.store.share({ name: 'keys', value: one, instead: other })).toEqual(one);
    });
  });
}
