import { readFileSync } from 'node:fs';
import type { Metafile } from 'esbuild';
import { type Load, measureLoad } from './loads.ts';

const heavyPackages =
  'zod|sql\\.js|kysely|@inquirer|@peculiar|bcryptjs|@noble|@hpke|@zxcvbn-ts|ipaddr\\.js|chalk|yaml';
const clientNever = new RegExp(
  `^src/(server/|client/keys/|core/(chat|pipeline|operation|sessions)\\.ts|core/(operations|login|codecs|e2ee)/)|node_modules/(${heavyPackages})/`,
);

/** Client commands start fast: the parser and what the command needs, nothing else. Limits are a twentieth above what there is. */
const loads: readonly Load[] = [
  {
    name: 'chat --version',
    entries: ['src/cli/chat.ts'],
    minKb: 150,
    maxKb: 224,
    never: new RegExp(`${clientNever.source}|^src/client/(?!address)`),
  },
  {
    name: 'chat send',
    entries: [
      'src/cli/chat.ts',
      'src/cli/configuration.ts',
      'src/cli/commands/send.ts',
      'src/client/connection.ts',
      'src/client/resume.ts',
      'src/client/send.ts',
    ],
    minKb: 200,
    maxKb: 315,
    never: clientNever,
  },
  {
    name: 'chat tail',
    entries: [
      'src/cli/chat.ts',
      'src/cli/configuration.ts',
      'src/cli/commands/tail.ts',
      'src/client/connection.ts',
      'src/client/resume.ts',
      'src/client/follow.ts',
    ],
    minKb: 200,
    maxKb: 328,
    never: clientNever,
  },
  {
    name: 'chat serve',
    entries: ['src/cli/chat.ts', 'src/cli/commands/serve.ts', 'src/server/serve.ts'],
    minKb: 1_000,
    // Fastify, with the router, parsers and logger that it always loads, is 740 KB of it.
    maxKb: 1_990,
    // The queries, and Kysely with them, are the store's own thread's; of zod one language is used.
    never:
      /^src\/client\/(?!address)|node_modules\/(nodemailer|@inquirer|@peculiar|@zxcvbn-ts|sql\.js|kysely)\/|node_modules\/zod\/v4\/locales\/(?!en\.)/,
  },
  {
    name: 'the store worker',
    entries: ['src/server/store/sqlite/worker.ts'],
    minKb: 250,
    maxKb: 525,
    never: /^src\/(cli|client|server\/doors|core\/operations)\/|node_modules\/(yargs|@inquirer|@peculiar)\//,
  },
  {
    name: 'the copying worker',
    entries: ['src/server/backups/copy-worker.ts'],
    minKb: 0.5,
    maxKb: 2,
    never: /^src\/(?!server\/backups)|node_modules\//,
  },
  {
    name: 'the password worker',
    entries: ['src/server/workers/password-worker.ts'],
    minKb: 30,
    maxKb: 52,
    never: /^src\/(cli|client|server\/(?!workers)|core\/operations)\/|node_modules\/(yargs|zod|sql\.js)\//,
  },
];

const metafile = JSON.parse(readFileSync('dist/meta.json', 'utf8')) as Metafile;
for (const load of loads) {
  const { name, kb, faults } = measureLoad(metafile, load);
  console.log(`${name}: ${kb} KB (${load.minKb}–${load.maxKb})`);
  for (const fault of faults) console.log(`  ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
}
