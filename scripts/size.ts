import { readFileSync } from 'node:fs';
import type { Metafile } from 'esbuild';
import { type Load, measureLoad } from './loads.ts';

const heavyPackages =
  'zod|sql\\.js|kysely|@inquirer|@peculiar|bcryptjs|@noble|@hpke|@zxcvbn-ts|ipaddr\\.js|chalk|yaml';
const clientNever = new RegExp(
  `^src/(server/|core/(chat|pipeline|operation|sessions)\\.ts|core/(operations|login|codecs)/)|node_modules/(${heavyPackages})/`,
);

/** Client commands start fast: the parser and what the command needs, nothing else. */
const loads: readonly Load[] = [
  {
    name: 'chat --version',
    entries: ['src/cli/chat.ts'],
    minKb: 100,
    maxKb: 220,
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
    minKb: 150,
    maxKb: 320,
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
    minKb: 150,
    maxKb: 320,
    never: clientNever,
  },
  {
    name: 'chat serve',
    entries: ['src/cli/chat.ts', 'src/cli/commands/serve.ts', 'src/server/serve.ts'],
    minKb: 600,
    // Fastify, with the router, parsers and logger that it always loads, is 740 KB of it.
    maxKb: 2_500,
    never: /^src\/client\/(?!address)|node_modules\/(nodemailer|@inquirer|@peculiar|@zxcvbn-ts|sql\.js)\//,
  },
  {
    name: 'the store worker',
    entries: ['src/server/store/sqlite/worker.ts'],
    minKb: 250,
    maxKb: 500,
    never: /^src\/(cli|client|server\/doors|core\/operations)\/|node_modules\/(yargs|@inquirer|@peculiar)\//,
  },
  {
    name: 'the copying worker',
    entries: ['src/server/backups/copy-worker.ts'],
    minKb: 0.5,
    maxKb: 10,
    never: /^src\/(?!server\/backups)|node_modules\//,
  },
  {
    name: 'the password worker',
    entries: ['src/server/workers/password-worker.ts'],
    minKb: 20,
    maxKb: 80,
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
