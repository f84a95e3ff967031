import { describe, expect, it } from 'vitest';
import { addMessage, conversationOf, startState } from '../../../src/cli/interactive/chat-state.ts';
import type { LiveChat } from '../../../src/cli/interactive/live-chat.ts';
import { clockTime } from '../../../src/cli/interactive/pane.ts';
import { PlainChat } from '../../../src/cli/interactive/plain-chat.ts';
import { ChatError } from '../../../src/core/errors.ts';
import { message } from '../support/fake-client.ts';
import { fakeHost } from '../support/fake-host.ts';

const time = clockTime(message(1).sent_at);

/** A chat without drawing over a chat that does nothing by itself: what it was asked for is kept. */
async function opened(stdin: string | Uint8Array = '') {
  const host = await fakeHost({ stdin, terminal: true });
  const state = startState('alice', 'chat://127.0.0.1:8080');
  const told: string[] = [];
  const live = {
    send: (to: string, text: string) => void told.push(`sent to ${to}: ${text}`),
    markRead: () => void told.push('read'),
    get connection(): never {
      throw new ChatError('unavailable', 'not connected now; try again when it is back');
    },
  };
  const plain = new PlainChat({
    host,
    state,
    onQuit: () => void told.push('quit'),
    onEnd: () => void told.push('end'),
  });
  return {
    state,
    plain,
    told,
    host,
    run: () => plain.run(live as unknown as LiveChat),
    lines: () => host.stdout.text.split('\n').slice(0, -1),
  };
}

describe('what is typed', () => {
  it('is sent line by line to the current conversation, blank lines left out; then the input has ended', async () => {
    const { run, told } = await opened('hello\n  \n@bob psst\n//etc\nlast');
    await run();
    expect(told.filter((what) => what !== 'read')).toEqual([
      'sent to #lobby: hello',
      'sent to @bob: psst',
      'sent to #lobby: /etc',
      'sent to #lobby: last',
      'end',
    ]);
  });

  it('and cannot be taken is answered with one error, and the chat goes on', async () => {
    const input = Buffer.concat([
      Buffer.from('\xe9\n', 'latin1'),
      Buffer.from(`/jion ops\n/join ops\n${'x'.repeat(20_000)}\nstill here\n`),
    ]);
    const { run, told, lines } = await opened(input);
    await run();
    expect(lines().filter((line) => line.startsWith('* error'))).toEqual([
      '* error: the line is not UTF-8 text',
      '* error: there is no command /jion; did you mean /join?',
      '* error: not connected now; try again when it is back',
      '* error: the line has more than 16384 bytes; a message has at most that many',
    ]);
    expect(told).toContain('sent to #lobby: still here');
    expect(told.at(-1)).toBe('end');
  });

  it('/quit asks to leave', async () => {
    const { run, told } = await opened('/quit\n');
    await run();
    expect(told).toContain('quit');
  });

  it('takes what has shown for read', async () => {
    const { run, told } = await opened('/whoami\n');
    await run();
    expect(told).toEqual(['read', 'end']);
  });
});

describe('what is written', () => {
  it('begins with who and where one is, and what is unread', async () => {
    const { run, lines, state } = await opened();
    conversationOf(state, '@bob').lastSeq = 3;
    addMessage(state, message(1));
    await run();
    expect(lines()).toEqual([
      '* alice on chat://127.0.0.1:8080; /help lists the commands, /quit or Ctrl-D leaves',
      '* 1 not read in #lobby',
      '* 3 not read in @bob',
      '* you are in #lobby',
    ]);
  });

  it('is a line for each message, with its conversation when that is not the current one', async () => {
    const { plain, lines } = await opened();
    plain.message(message(1));
    plain.message(message(2, { to: '@sam' }));
    expect(lines()).toEqual([`${time} sam: message 1`, `${time} @sam sam: [clear] message 2`]);
  });

  it('has nothing in it that a terminal obeys', async () => {
    const { plain, lines } = await opened();
    plain.message(message(1, { text: 'red \u001b[31m\nbob: hello' }));
    plain.say('a\u001b[2J\nb');
    expect(lines()).toEqual([`${time} sam: red \\x1b[31m\\nbob: hello`, '* a\\x1b[2J', '* b']);
  });

  it('says that a message cannot be read', async () => {
    const { plain, lines } = await opened();
    const { text: _, ...sealed } = message(1);
    plain.message(sealed as never);
    expect(lines()).toEqual([`${time} sam: [encrypted: it is no private message]`]);
  });

  it('tells when the connection goes and comes, once each, and where one is when that has changed', async () => {
    const { plain, lines, state } = await opened();
    const becomes = (link: typeof state.link) => {
      state.link = link;
      plain.changed();
    };
    becomes({ kind: 'connecting' });
    becomes({ kind: 'online' });
    becomes({ kind: 'online' });
    becomes({ kind: 'waiting', why: 'connection refused', until: 1 });
    becomes({ kind: 'connecting' });
    becomes({ kind: 'waiting', why: 'connection refused', until: 2 });
    becomes({ kind: 'online' });
    conversationOf(state, '@bob');
    state.current = '@bob';
    plain.changed();
    expect(lines()).toEqual([
      '* you are in #lobby',
      '* not connected: connection refused; trying again',
      '* connected again',
      '* you are in @bob',
    ]);
  });

  it('to a reader that has gone is left to whoever ends the chat', async () => {
    const { plain, host } = await opened();
    host.stdout.break();
    plain.say('nobody hears it');
    await Promise.resolve();
    expect(host.stdout.text).toBe('');
  });
});
