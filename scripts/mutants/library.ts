import type { Mutant } from './mutant.ts';

const test = 'test/library/library.test.ts';

/** What the library for programs of others promises. */
export const library: readonly Mutant[] = [
  {
    rule: 'the library sends no private message in clear unless told to',
    file: 'src/library/private-messages.ts',
    find: 'if (allowClear) return { text };',
    replace: 'return { text };',
    test,
    titled: 'that cannot be encrypted are refused',
  },
  {
    rule: 'the library takes no other key than the one that was named',
    file: 'src/library/sessions.ts',
    find: 'if (shown === fingerprint) return;',
    replace: 'return;',
    test,
    titled: 'that shows another key',
  },
  {
    rule: 'the library takes no server that nobody vouches for',
    file: 'src/library/sessions.ts',
    find: 'if (trustedBySystem) return;',
    replace: 'return;',
    test,
    titled: 'that nobody vouches for is refused',
  },
  {
    rule: 'what the library asks ends when its time is over',
    file: 'src/library/sessions.ts',
    find: 'callTimeoutMs: timeoutMs, ',
    replace: '',
    test,
    titled: 'is given up after the time that was given for it, whatever it was asked',
  },
  {
    rule: 'the library ends the session that it has opened with a password',
    file: 'src/library/open-chat.ts',
    find: 'await this.#sessions.end();',
    replace: '',
    test,
    titled: 'its session ends when it is closed',
  },
];
