import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test, vi } from 'vitest';
import { plainPrompts } from '../../src/cli/plain-prompts.ts';

test('a secret is asked for when the terminal shows nothing any more, and shows again what comes after it', async () => {
  const happened: string[] = [];
  const stdin = Object.assign(new PassThrough(), {
    setRawMode: (isRaw: boolean) => happened.push(isRaw ? 'shows nothing' : 'shows'),
  });
  const before = Object.getOwnPropertyDescriptor(process, 'stdin');
  Object.defineProperty(process, 'stdin', { value: stdin, configurable: true });
  const written = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    happened.push(String(text));
    return true;
  });
  onTestFinished(() => {
    written.mockRestore();
    if (before) Object.defineProperty(process, 'stdin', before);
  });
  stdin.write('a good secret\r');
  expect(await plainPrompts.secret('Password')).toBe('a good secret');
  expect(happened).toEqual(['shows nothing', 'Password (not shown): ', 'shows', '\n']);
});
