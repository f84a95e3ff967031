import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { expect, it, onTestFinished } from 'vitest';
import { parsePassword } from '../../../src/core/model/password.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import { passwordPool } from '../../../src/server/workers/password-pool.ts';

/** The niceness of each thread of this process that has the name. */
function niceness(name: string): number[] {
  return readdirSync('/proc/self/task').flatMap((thread) => {
    const [head = '', fields = ''] = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8').split(/\) /);
    return head.endsWith(`(${name}`) ? [Number(fields.split(' ')[16])] : [];
  });
}

it.runIf(process.platform === 'linux')(
  'the thread that checks passwords gives way to those that serve everybody, which stay as they are',
  async () => {
    const own = getPriority();
    const pool = passwordPool({ workers: 1 });
    onTestFinished(() => pool.close());
    await pool.stretch(
      {
        realm: 'chat.example',
        username: parseUsername('alice'),
        password: parsePassword('correct horse'),
        salt: new Uint8Array(16),
        cost: 10,
      },
      { owner: '192.0.2.1', isWanted: () => true },
    );
    // Other tests of this process may have such threads too.
    expect(niceness('password')).toContain(Math.min(own + 10, 19));
    expect(getPriority()).toBe(own);
  },
);
