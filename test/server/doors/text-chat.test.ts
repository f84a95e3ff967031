import { describe, expect, it } from 'vitest';
import { play } from '../../../scripts/campaigns/fuzz/sessions.ts';
import { chatAtPort } from './support/real-chat.ts';

const whole = [1 << 20];

describe('a door of text with a real chat behind it', () => {
  it('tells a sender the first line to each of fifty people before it closes', async () => {
    const at = await chatAtPort();
    await at.register('sam', 'some words');
    const names = Array.from({ length: 50 }, (_, index) => `friend${index}`);
    for (const name of names) await at.register(name, 'other words');
    const bytes = Buffer.from(
      `/login sam some words\n${names.map((name) => `@${name} hello\n`).join('')}/exit\n`,
    );
    const [greeting, ...lines] = (await play(at.port, { bytes, pieces: whole })).split('\n').slice(0, -1);
    expect(greeting).toBe('Authentication Succeeded');
    // Conversations are told beside each other: no order among them.
    expect(lines.map((line) => line.slice(20)).sort()).toEqual(
      names.map((name) => `sam: @${name} hello`).sort(),
    );
  });

  it('tells a sender the own line before the answer to the next request', async () => {
    const at = await chatAtPort();
    await at.register('sam', 'some words');
    const bytes = Buffer.from('/login sam some words\n@sam one\n/users\nthree\n/users\n/exit\n');
    const text = await play(at.port, { bytes, pieces: whole });
    const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`;
    expect(text).toMatch(
      new RegExp(`^Authentication Succeeded\n${time} sam: @sam one\nsam\n${time} sam: three\nsam\n$`),
    );
  });

  it('tells nothing again that a connection took before it closed, its own last line too', async () => {
    const at = await chatAtPort();
    await at.register('sam', 'some words');
    const say = (lines: string) =>
      play(at.port, { bytes: Buffer.from(`/login sam some words\n${lines}/exit\n`), pieces: whole });
    expect(await say('one\n@sam two\n')).toMatch(
      /^Authentication Succeeded\n.* sam: one\n.* sam: @sam two\n$/,
    );
    expect(await say('')).toBe('Authentication Succeeded\n');
    expect(await say('three\n')).toMatch(/^Authentication Succeeded\n.* sam: three\n$/);
    expect(await say('')).toBe('Authentication Succeeded\n');
  });
});
