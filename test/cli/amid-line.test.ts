import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isAmidLine } from '../../src/cli/amid-line.ts';
import { temporaryDirectory } from './support/fake-host.ts';

describe('a file that is appended to', () => {
  it.runIf(process.platform === 'linux').each([
    ['', false],
    ['\n', false],
    ['whole\n', false],
    ['cut', true],
    ['whole\ncut', true],
  ])('%j ends within a line: %s', async (content, expected) => {
    const path = join(await temporaryDirectory(), 'file');
    writeFileSync(path, content);
    const fd = openSync(path, 'a');
    expect(isAmidLine(fd)).toBe(expected);
    closeSync(fd);
  });

  it('is not looked for in a device, or where there is nothing', () => {
    const device = openSync('/dev/null', 'w');
    expect([isAmidLine(device), isAmidLine(9_999)]).toEqual([false, false]);
    closeSync(device);
  });
});
