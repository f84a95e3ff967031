import { describe, expect, it } from 'vitest';
import { conversationOf, startState } from '../../../src/cli/interactive/chat-state.ts';
import { complete } from '../../../src/cli/interactive/completion.ts';
import { lineOf } from '../../../src/cli/interactive/line-editor.ts';

describe('Tab', () => {
  const state = startState('alice', 'chat://127.0.0.1:8080');
  for (const name of ['bob', 'bobby', 'carol']) state.people.add(name);
  for (const room of ['#ops', '#operations']) state.rooms.add(room);
  conversationOf(state, '@carol');

  it.each([
    ['/jo', '/join ', 1],
    ['/', '/', 12],
    ['/join o', '/join op', 2],
    ['/join #oper', '/join #operations ', 1],
    ['/msg c', '/msg carol ', 1],
    ['/msg @c', '/msg @carol ', 1],
    ['/go #l', '/go #lobby ', 1],
    ['/go @c', '/go @carol ', 1],
    ['hello b', 'hello bob', 2],
    ['hello @C', 'hello @carol ', 1],
    ['see #oper', 'see #operations ', 1],
    ['/join ', '/join ', 3],
  ])('after %j makes it %j, with %i candidates', (before, after, candidates) => {
    const completed = complete(state, lineOf(before));
    expect([completed?.line, completed?.candidates.length]).toEqual([lineOf(after), candidates]);
  });

  it.each(['', 'hello ', 'zzz', '/nope ', 'say /jo'])('leaves %j alone', (text) => {
    expect(complete(state, lineOf(text))).toBeUndefined();
  });

  it('leaves what is behind the cursor where it is', () => {
    expect(complete(state, { text: 'hi car, how are you', cursor: 6 })?.line).toEqual({
      text: 'hi carol , how are you',
      cursor: 9,
    });
  });
});
