import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import extractConfig from 'dependency-cruiser/config-utl/extract-depcruise-config';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

/** A tree of sources by path; every import in it may lead to a file of the tree or to a package of `packages`. */
type Tree = Readonly<Record<string, string>>;

const packages = [
  'zod',
  'bcryptjs',
  'uuid',
  'ipaddr.js',
  '@noble/hashes',
  '@hpke/core',
  'yargs',
  'chalk',
  '@inquirer/prompts',
  'sql.js',
  'kysely',
  'pg',
  '@redis/client',
];
const devPackages = ['vitest'];

let config: Awaited<ReturnType<typeof extractConfig>>;
let root: string;

beforeAll(async () => {
  config = await extractConfig(resolve('.dependency-cruiser.mjs'));
});

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'chat-imports-')));
  const versions = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, '1.0.0']));
  put(
    'package.json',
    JSON.stringify({
      type: 'module',
      dependencies: versions(packages),
      devDependencies: versions(devPackages),
    }),
  );
  for (const name of [...packages, ...devPackages, 'undeclared']) {
    put(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' }));
    put(`node_modules/${name}/index.js`, '');
  }
});
afterEach(() => rmSync(root, { recursive: true }));

/** The violations in a tree as `rule: from -> to`, sorted; those of `no-dead-modules` only when asked for. */
async function violations(tree: Tree, { dead = false } = {}): Promise<string[]> {
  for (const [path, text] of Object.entries(tree)) put(path, text);
  const folders = [...new Set(Object.keys(tree).map((path) => path.split('/')[0] ?? ''))];
  const { output } = await cruise(
    folders,
    {
      ...config.options,
      ruleSet: { forbidden: config.forbidden ?? [] },
      validate: true,
      baseDir: root,
    },
    config.options?.enhancedResolveOptions,
  );
  return (output as ICruiseResult).summary.violations
    .filter(({ rule }) => dead || rule.name !== 'no-dead-modules')
    .map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`)
    .sort();
}

const value = 'export const it = 1;';

/** One import that a rule forbids: where it stands, how it is written, and the file it leads to, if not a package. */
const broken: readonly [rule: string, from: string, text: string, to: string][] = [
  ['no-unresolved', 'src/cli/main.ts', "import './gone.ts';", './gone.ts'],
  ['src-not-to-tests-or-scripts', 'src/server/serve.ts', "import '../../test/a.ts';", 'test/a.ts'],
  [
    'src-not-to-tests-or-scripts',
    'src/server/serve.ts',
    "import type { it } from '../../scripts/a.ts';",
    'scripts/a.ts',
  ],
  ['src-not-to-dev-packages', 'src/server/serve.ts', "import 'vitest';", 'node_modules/vitest/index.js'],
  [
    'src-not-to-dev-packages',
    'src/server/serve.ts',
    "import 'undeclared';",
    'node_modules/undeclared/index.js',
  ],
  ['core-to-core-and-pure-packages', 'src/core/a.ts', "import 'node:fs';", 'fs'],
  ['core-to-core-and-pure-packages', 'src/core/a.ts', "import type { Socket } from 'node:net';", 'net'],
  ['core-to-core-and-pure-packages', 'src/core/a.ts', "await import('../server/a.ts');", 'src/server/a.ts'],
  ['core-to-core-and-pure-packages', 'src/core/a.ts', "import '../client/a.ts';", 'src/client/a.ts'],
  [
    'codecs-not-to-operations',
    'src/core/codecs/pipe.ts',
    "import '../operations/room/join.ts';",
    'src/core/operations/room/join.ts',
  ],
  [
    'codecs-not-to-operations',
    'src/core/codecs/pipe.ts',
    "import type { it } from '../pipeline.ts';",
    'src/core/pipeline.ts',
  ],
  ['model-to-model', 'src/core/model/message.ts', "import '../feed/feed.ts';", 'src/core/feed/feed.ts'],
  [
    'ports-are-interfaces',
    'src/core/ports/store.ts',
    "import { it } from '../policy.ts';",
    'src/core/policy.ts',
  ],
  [
    'client-to-client-and-core',
    'src/client/a.ts',
    "import type { it } from '../server/a.ts';",
    'src/server/a.ts',
  ],
  ['client-to-client-and-core', 'src/client/a.ts', "import '../cli/a.ts';", 'src/cli/a.ts'],
  ['client-to-client-and-core', 'src/client/a.ts', "import 'zod';", 'node_modules/zod/index.js'],
  [
    'clients-not-to-server-side-of-core',
    'src/client/a.ts',
    "import { it } from '../core/operations/index.ts';",
    'src/core/operations/index.ts',
  ],
  [
    'clients-not-to-server-side-of-core',
    'src/cli/a.ts',
    "await import('../core/chat.ts');",
    'src/core/chat.ts',
  ],
  ['library-to-client-and-core', 'src/library/library.ts', "import '../cli/output.ts';", 'src/cli/output.ts'],
  ['library-to-client-and-core', 'src/library/library.ts', "import 'zod';", 'node_modules/zod/index.js'],
  [
    'library-to-nobody',
    'src/cli/a.ts',
    "import type { it } from '../library/contract.ts';",
    'src/library/contract.ts',
  ],
  [
    'server-to-server-and-core',
    'src/server/serve.ts',
    "import type { it } from '../cli/exit-codes.ts';",
    'src/cli/exit-codes.ts',
  ],
  ['server-to-server-and-core', 'src/server/serve.ts', "import '../client/a.ts';", 'src/client/a.ts'],
  [
    'doors-not-to-store',
    'src/server/doors/line-door.ts',
    "import '../store/queries.ts';",
    'src/server/store/queries.ts',
  ],
  [
    'doors-not-to-store',
    'src/server/doors/line-door.ts',
    "import type { it } from '../../core/ports/store.ts';",
    'src/core/ports/store.ts',
  ],
  [
    'doors-not-to-store',
    'src/server/doors/line-door.ts',
    "import type { it } from '../../core/ports/store/sessions.ts';",
    'src/core/ports/store/sessions.ts',
  ],
  [
    'doors-not-to-operations',
    'src/server/doors/line-door.ts',
    "import '../../core/operations/index.ts';",
    'src/core/operations/index.ts',
  ],
  [
    'store-not-to-doors-or-operations',
    'src/server/store/queries.ts',
    "import type { it } from '../doors/door.ts';",
    'src/server/doors/door.ts',
  ],
  [
    'store-not-to-doors-or-operations',
    'src/server/store/queries.ts',
    "import '../../core/chat.ts';",
    'src/core/chat.ts',
  ],
  [
    'cli-to-cli-client-and-core',
    'src/cli/commands/send.ts',
    "await import('../../server/serve.ts');",
    'src/server/serve.ts',
  ],
  [
    'cli-to-cli-client-and-core',
    'src/cli/main.ts',
    "import type { it } from '../server/config.ts';",
    'src/server/config.ts',
  ],
  [
    'server-loaded-lazily',
    'src/cli/commands/serve.ts',
    "import { it } from '../../server/serve.ts';",
    'src/server/serve.ts',
  ],
  [
    'commands-loaded-lazily',
    'src/cli/main.ts',
    "import { it } from './commands/send.ts';",
    'src/cli/commands/send.ts',
  ],
  ['files-only-where-named', 'src/server/doors/line-door.ts', "import 'node:fs';", 'fs'],
  ['files-only-where-named', 'src/client/a.ts', "await import('node:fs/promises');", 'fs/promises'],
  ['no-other-way-to-files', 'src/client/a.ts', "import 'node:sqlite';", 'node:sqlite'],
  [
    'no-other-way-to-files',
    'src/server/store/a.ts',
    "import { createRequire } from 'node:module';",
    'module',
  ],
  ['no-other-way-to-files', 'src/cli/a.ts', "await import('node:v8');", 'v8'],
  ['processes-only-where-named', 'src/cli/commands/send.ts', "import 'node:child_process';", 'child_process'],
  [
    'prompts-loaded-lazily',
    'src/cli/host.ts',
    "import '@inquirer/prompts';",
    'node_modules/@inquirer/prompts/index.js',
  ],
  ['prompts-loaded-lazily', 'src/cli/output.ts', "import 'chalk';", 'node_modules/chalk/index.js'],
  [
    'sql-only-in-store',
    'src/server/serve.ts',
    "import type { Kysely } from 'kysely';",
    'node_modules/kysely/index.js',
  ],
  [
    'sql-js-only-in-sqlite',
    'src/server/store/queries.ts',
    "import 'sql.js';",
    'node_modules/sql.js/index.js',
  ],
  ['pg-only-in-postgres', 'src/server/store/queries.ts', "import 'pg';", 'node_modules/pg/index.js'],
  [
    'redis-only-in-redis',
    'src/server/bus/redis.ts',
    "import '@redis/client';",
    'node_modules/@redis/client/index.js',
  ],
  [
    'command-line-packages-only-in-cli',
    'src/server/config.ts',
    "import 'yargs';",
    'node_modules/yargs/index.js',
  ],
];

describe('an import rule that is broken once is reported once, and no other is:', () => {
  test.each(broken)('%s: %s: %s', async (rule, from, text, to) => {
    const target = /^(src|test|scripts)\//.test(to) ? { [to]: value } : {};
    expect(await violations({ ...target, [from]: text })).toEqual([`${rule}: ${from} -> ${to}`]);
  });

  test('no-cycles, of types too', async () => {
    const tree = {
      'src/core/a.ts': "import './b.ts'; export const it = 1;",
      'src/core/b.ts': "import type { it } from './a.ts';",
    };
    expect(await violations(tree)).toEqual(['no-cycles: src/core/a.ts -> src/core/b.ts']);
  });

  test('no-dead-modules', async () => {
    const tree = {
      'src/cli/chat.ts': "await import('./main.ts');",
      'src/cli/main.ts': value,
      'src/cli/left-over.ts': "import './main.ts';",
    };
    expect(await violations(tree, { dead: true })).toEqual([
      'no-dead-modules: src/cli/left-over.ts -> src/cli/left-over.ts',
    ]);
  });

  test('no rule is without its case here', () => {
    const tried = new Set([...broken.map(([rule]) => rule), 'no-cycles', 'no-dead-modules']);
    expect([...tried].sort()).toEqual(config.forbidden?.map(({ name }) => name).sort());
  });
});

test('a house built as it should be breaks no rule', async () => {
  const tree = {
    'src/core/model/message.ts': "import { it } from '../errors.ts'; export { it };",
    'src/core/errors.ts': value,
    'src/core/ports/store.ts': "export type { it } from '../model/message.ts';",
    'src/core/operation.ts': "import 'zod'; import type { it } from './ports/store.ts'; export { it };",
    'src/core/operations/index.ts': "import './room/join.ts'; export const it = 1;",
    'src/core/operations/room/join.ts': "import '../../operation.ts';",
    'src/core/codecs/lines.ts':
      "import type { it } from '../operations/index.ts'; import '../errors.ts'; export { it };",
    'src/core/chat.ts':
      "import './operations/index.ts'; import 'bcryptjs'; import '@noble/hashes'; import '@hpke/core';",
    'src/client/connection.ts':
      "import 'node:net'; import '../core/errors.ts'; import type { it } from '../core/operations/index.ts'; export { it };",
    'src/server/serve.ts':
      "import './doors/line-door.ts'; import './store/queries.ts'; import '../core/chat.ts';",
    'src/server/doors/line-door.ts':
      "import '../../core/codecs/lines.ts'; import type { it } from '../../core/chat.ts';",
    'src/server/store/queries.ts': "import 'kysely'; import type { it } from '../../core/ports/store.ts';",
    'src/server/store/sqlite/worker.ts': "import '../queries.ts'; import 'sql.js'; import 'node:fs';",
    'src/server/workers/password-worker.ts': "import '../../core/errors.ts'; import 'bcryptjs';",
    'src/cli/chat.ts': "import './main.ts';",
    'src/cli/main.ts': "import 'yargs'; import './commands/index.ts'; await import('@inquirer/prompts');",
    'src/cli/commands/index.ts': "await import('./serve.ts'); await import('./send.ts');",
    'src/cli/commands/send.ts': "import '../../client/connection.ts';",
    'src/cli/commands/serve.ts': "await import('../../server/serve.ts');",
    'test/a.test.ts':
      "import 'vitest'; import '../src/core/operations/room/join.ts'; import '../scripts/a.ts';",
    'scripts/a.ts': value,
  };
  expect(await violations(tree, { dead: true })).toEqual([]);
});
