import { expect, it } from 'vitest';
import { programText } from '../../src/cli/program-text.ts';
import { chat, fakeHost, runOn } from './support/fake-host.ts';

it('chat licenses prints what was gathered at the build', async () => {
  expect(await chat(['licenses'])).toEqual({ code: 0, stdout: 'chat: MIT\n', stderr: '' });
  expect(await chat(['licenses', '-o', 'json'])).toEqual({
    code: 0,
    stdout: '{"licenses":"chat: MIT\\n"}\n',
    stderr: '',
  });
});

it('chat licenses says what to do where nothing was built, exit 3', async () => {
  const host = { ...(await fakeHost()), licenses: () => programText('licenses.txt') };
  expect(await runOn(host, 'licenses')).toEqual({
    code: 3,
    stdout: '',
    stderr:
      'chat: this chat runs from its sources, and its licenses are gathered when it is built: npm run build, then bin/chat licenses\n',
  });
});
