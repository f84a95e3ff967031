import { describe, expect, it } from 'vitest';
import { boundedLog } from '../../src/cli/bounded-log.ts';
import { turn } from '../server/support/until.ts';

const kibibytes = (count: number): string => 'x'.repeat(count * 1_024);

/** A reader that takes what it is given when the test says so. */
function slowReader() {
  const lines: string[] = [];
  let waiting: Array<() => void> = [];
  return {
    lines,
    write(line: string): Promise<void> {
      lines.push(line);
      return new Promise((resolve) => waiting.push(resolve));
    },
    async take() {
      const all = waiting;
      waiting = [];
      for (const resolve of all) resolve();
      await turn();
    },
  };
}

describe('a bounded log', () => {
  it('hands every line over at once while its reader takes them', async () => {
    const { lines, write, take } = slowReader();
    const log = boundedLog(write, (count) => `lost ${count}`);
    for (let i = 0; i < 3; i += 1) {
      log(kibibytes(1_024));
      await take();
    }
    expect(lines).toHaveLength(3);
  });

  it('keeps a mebibyte for a reader that does not, leaves out what comes after it, and says how much that was', async () => {
    const { lines, write, take } = slowReader();
    const log = boundedLog(write, (count) => `lost ${count}`);
    log(kibibytes(1_024));
    log('still');
    for (let i = 0; i < 7; i += 1) log('too much');
    expect(lines).toHaveLength(2);
    await take();
    expect(lines.slice(1)).toEqual(['still', 'lost 7']);
    log('again');
    await take();
    expect(lines.slice(3)).toEqual(['again']);
  });

  it('says nothing of lost lines where the log has no line for it, and then counts anew', async () => {
    const { lines, write, take } = slowReader();
    const counts: number[] = [];
    const log = boundedLog(write, (count) => void counts.push(count));
    for (let round = 0; round < 2; round += 1) {
      log(kibibytes(1_025));
      log('too much');
      await take();
    }
    expect([lines.length, counts]).toEqual([2, [1, 1]]);
  });
});
