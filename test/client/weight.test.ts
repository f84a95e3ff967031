import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = new URL('../../', import.meta.url);

/** Loads modules of src/client in a process of its own, and answers which packages and files that took. */
async function loadedBy(...names: string[]): Promise<string[]> {
  const script = `
    import { registerHooks } from 'node:module';
    const urls = [];
    registerHooks({ load(url, context, next) { urls.push(url); return next(url, context); } });
    for (const name of ${JSON.stringify(names)}) await import(new URL('src/client/' + name, ${JSON.stringify(root.href)}));
    process.stdout.write(JSON.stringify(urls));
  `;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script]);
  const urls: string[] = JSON.parse(stdout);
  return urls.map((url) =>
    url.replace(root.href, '').replace(/^.*node_modules\/((?:@[^/]+\/)?[^/]+)\/.*$/, '$1'),
  );
}

describe('what the client loads', () => {
  it('to connect, resume, send and follow is none of the password hash, the schemas or the operations', async () => {
    const loaded = await loadedBy('connection.ts', 'login.ts', 'send.ts', 'follow.ts');
    const heavy =
      /^(?:bcryptjs|zod|@noble\/|yargs|src\/core\/(?:operations|login)\/|src\/core\/crypto\/(?!(?:bytes|older-platforms)\.ts)|src\/(?:server|cli)\/)/;
    expect(loaded.filter((one) => heavy.test(one))).toEqual([]);
    // So that an empty list cannot come from a script that loads nothing.
    expect(loaded).toContain('src/client/outbox.ts');
  });

  it('from packages is only what makes ids', async () => {
    const loaded = await loadedBy('connection.ts', 'login.ts', 'send.ts', 'follow.ts');
    const packages = loaded.filter(
      (one) => !one.startsWith('src/') && !one.startsWith('node:') && !one.startsWith('data:'),
    );
    expect([...new Set(packages)]).toEqual(['uuid']);
  });
});
