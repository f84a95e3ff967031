import { describe, expect, it, onTestFinished } from 'vitest';
import { World } from './support/server.ts';
import { type Talker, talkClear } from './support/talker.ts';

async function connected(port: number): Promise<Talker> {
  const talker = await talkClear(port);
  onTestFinished(() => talker.close());
  return talker;
}

describe('SALT at the pipe door', () => {
  it('answers a name that nobody has like one that somebody has, and both the same after a restart and a kill', async () => {
    const world = new World();
    let server = await world.serve();
    const bot = await connected(server.port);
    expect(await bot.ask('REGISTER|known|words of a bot')).toBe('REGISTER|SUCCESS');
    const names = ['known', 'unknown', 'another.one', 'x'.repeat(30)];
    const salts = async (): Promise<Array<string | undefined>> => {
      const talker = await connected(server.port);
      const answers = [];
      for (const name of names) answers.push(await talker.ask(`SALT|${name}`));
      return answers;
    };
    const first = await salts();
    for (const answer of first)
      expect(answer).toMatch(/^SALT\|SUCCESS\|[0-9a-f]{32}\|[A-Za-z0-9+/]{22}==\|10$/);
    expect(new Set(first).size).toBe(names.length);
    expect(await salts()).toEqual(first);
    await server.stop('SIGTERM');
    server = await world.serve();
    expect(await salts()).toEqual(first);
    await server.stop('SIGKILL');
    server = await world.serve();
    expect(await salts()).toEqual(first);
  });

  it('says of a name that is registered later nothing else than before', async () => {
    const world = new World();
    const { port } = await world.serve();
    const talker = await connected(port);
    const before = await talker.ask('SALT|later');
    // A client that is shown the salt registers with it: then the answer stays.
    const hashed = `v1.${Buffer.alloc(32, 7).toString('base64url')}`;
    expect(await talker.ask(`REGISTER|later|${hashed}`)).toBe('REGISTER|SUCCESS');
    expect(await talker.ask('SALT|later')).toBe(before);
    expect(await talker.ask(`AUTH|later|${hashed}`)).toMatch(/^AUTH\|SUCCESS\|cs1_/);
    // Wrong words and an unknown name are refused in the same bytes.
    const other = await connected(port);
    expect([await other.ask('AUTH|later|some words'), await other.ask('AUTH|nobody|some words')]).toEqual([
      'AUTH|FAILURE|unauthenticated',
      'AUTH|FAILURE|unauthenticated',
    ]);
  });
});
