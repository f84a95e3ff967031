/**
 * Which way imports point: docs/architecture.md in a form that the build can check. `npm run imports` runs it, and
 * test/toolchain/imports.test.ts breaks every rule once.
 */

/** Small and pure packages, the same in Node and elsewhere: all that core may stand on. */
const purePackages =
  '^node_modules/(zod|bcryptjs|uuid|otpauth|ipaddr\\.js|@noble/[^/]+|@hpke/core|@zxcvbn-ts/[^/]+)/';

/** What the server alone runs. The rest of core (model, crypto, errors, policy, random) serves both ends. */
const serverSideOfCore =
  '^src/core/(operations|login|codecs|chat|pipeline|operation|sessions|feed|presence|audit|limits)(/|\\.ts$)';

/** Files that a program starts with; everything else in src is there because one of these needs it. */
const entryPoints =
  '^src/(cli/chat|library/library|server/store/sqlite/worker|server/backups/copy-worker|server/workers/password-worker)\\.ts$';

/** All that touches files. What each may write is in test/toolchain/files.test.ts, and where in docs/confinement.md. */
const touchesFiles = [
  '^src/cli/(amid-line|certificate-elsewhere|durable-cursor|file-lock|file-output|hang-up|held-lock|reader-probe|program-text|recovery-file)\\.ts$',
  '^src/cli/(saved-logins|secret)\\.ts$',
  '^src/cli/(send-input|settings-file|state-directory|system-stdin|system-terminal|whole-file)\\.ts$',
  '^src/cli/(commands/account/export|doctor/files|doctor/settings|outbox/kept-file|outbox/kept-messages)\\.ts$',
  '^src/server/(backups|certificates|data-directory|store/sqlite|workers)/',
  '^src/server/(open-files|operator|terms|cluster/cluster-secret|redis/redis-tls|store/postgres/root-certificate)\\.ts$',
  '^src/server/moving/(export-directory|source)\\.ts$',
];

export default {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'A circle of modules has no order in which it can be understood, tested or loaded.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolved',
      comment: 'An import that leads nowhere is checked by no other rule.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-dead-modules',
      comment: 'A module that no program needs is deleted, not kept.',
      severity: 'error',
      from: { path: entryPoints },
      to: {
        path: '^src/',
        pathNot: [entryPoints, '\\.d\\.ts$'],
        reachable: false,
      },
    },
    {
      name: 'src-not-to-tests-or-scripts',
      comment: 'What ships does not lean on what only a checkout has.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|scripts)/' },
    },
    {
      name: 'src-not-to-dev-packages',
      comment: 'What ships runs on `dependencies`; a devDependency may lend it types at most.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },

    {
      name: 'core-to-core-and-pure-packages',
      comment:
        'Core is the rules of chat: no socket, file, SQL or process, no Node module, nothing of the other folders.',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { pathNot: ['^src/core/', purePackages] },
    },
    {
      name: 'codecs-not-to-operations',
      comment:
        'A codec spells calls; it may know the list of operations and their shape, never the inside of one.',
      severity: 'error',
      from: { path: '^src/core/codecs/' },
      to: { path: '^src/core/(operations/(?!(index|shapes)\\.ts$)|login/|pipeline|chat|sessions)' },
    },
    {
      name: 'model-to-model',
      comment: 'The words everyone shares: they know nothing of who uses them.',
      severity: 'error',
      from: { path: '^src/core/model/' },
      to: { path: '^src/', pathNot: '^src/core/(model/|errors\\.ts$|policy\\.ts$|random\\.ts$|crypto/)' },
    },
    {
      name: 'ports-are-interfaces',
      comment: 'A port says what core asks for, in words of the model, and runs nothing.',
      severity: 'error',
      from: { path: '^src/core/ports/' },
      to: { dependencyTypesNot: ['type-only'] },
    },

    {
      name: 'client-to-client-and-core',
      comment:
        'The client runs in the command line, in a page, in other programs: it knows none of them, nor the server.',
      severity: 'error',
      from: { path: '^src/client/' },
      to: { path: '^(src|node_modules)/', pathNot: '^(src/(client|core)/|node_modules/@types/)' },
    },
    {
      name: 'clients-not-to-server-side-of-core',
      comment:
        'Types only: an operation brings its schema, its handler and zod along, which a start must not pay for.',
      severity: 'error',
      from: { path: '^src/(client|cli|library)/' },
      to: { path: serverSideOfCore, dependencyTypesNot: ['type-only'] },
    },

    {
      name: 'library-to-client-and-core',
      comment:
        'The library is for programs of others: of the command line it knows where keys and pins are kept, and nothing that reads or prints.',
      severity: 'error',
      from: { path: '^src/library/' },
      to: {
        path: '^(src|node_modules)/',
        pathNot:
          '^(src/(library|client|core)/|src/cli/(home-directory|host|key-store|known-servers)\\.ts$|node_modules/@types/)',
      },
    },
    {
      name: 'library-to-nobody',
      comment:
        'What a release promises to programs of others is used by nobody here, and so is free of what they need.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/library/' },
      to: { path: '^src/library/' },
    },
    {
      name: 'server-to-server-and-core',
      comment: 'The server is started by the command line and knows nothing of it, nor of the client.',
      severity: 'error',
      from: { path: '^src/server/' },
      to: { path: '^src/', pathNot: '^src/(server|core)/' },
    },
    {
      name: 'doors-not-to-store',
      comment: 'A door cuts bytes and calls core; what is kept, and where, is not its business.',
      severity: 'error',
      from: { path: '^src/server/doors/' },
      to: { path: '^src/(server/store/|core/ports/store(/|\\.ts$))' },
    },
    {
      name: 'doors-not-to-operations',
      comment: 'A call goes through `chat.call`, so that it is admitted, limited and audited.',
      severity: 'error',
      from: { path: '^src/server/doors/' },
      to: { path: '^src/core/(operations/|login/|pipeline\\.ts$)', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'store-not-to-doors-or-operations',
      comment: 'The store keeps rows; it does not know what they are for or how they came.',
      severity: 'error',
      from: { path: '^src/server/store/' },
      to: { path: '^src/(server/doors/|core/(operations|login|codecs|chat|pipeline|operation)(/|\\.ts$))' },
    },

    {
      name: 'cli-to-cli-client-and-core',
      comment:
        'Only `chat serve`, and `chat admin` where it works without one, know that there is a server program.',
      severity: 'error',
      from: {
        path: '^src/cli/',
        pathNot: '^src/cli/commands/(serve|admin/(without-login|export-store|import-store|moved))\\.ts$',
      },
      to: { path: '^src/server/' },
    },
    {
      name: 'server-loaded-lazily',
      comment: 'By `import()`, so that no other command pays for the server.',
      severity: 'error',
      from: {
        path: '^src/cli/commands/(serve|admin/(without-login|export-store|import-store|moved))\\.ts$',
      },
      to: { path: '^src/server/', dependencyTypesNot: ['dynamic-import', 'type-only'] },
    },
    {
      name: 'commands-loaded-lazily',
      comment: 'One command is typed, one is loaded: the list knows the others by name.',
      severity: 'error',
      from: { path: '^src/cli/', pathNot: '^src/cli/commands/' },
      to: { path: '^src/cli/commands/(?!index\\.ts$)', dependencyTypesNot: ['dynamic-import', 'type-only'] },
    },
    {
      name: 'prompts-loaded-lazily',
      comment: 'Prompts and colours are for people at a terminal; scripts do not pay for them.',
      severity: 'error',
      from: { path: '^src/' },
      to: {
        path: '^node_modules/(@inquirer/[^/]+|chalk)/',
        dependencyTypesNot: ['dynamic-import', 'type-only'],
      },
    },

    {
      name: 'files-only-where-named',
      comment:
        'Neither program can be made to write a file but its own: what touches none cannot (document 5).',
      severity: 'error',
      from: { path: '^src/(client|cli|library|server)/', pathNot: touchesFiles },
      to: { path: '^(node:)?fs(/promises)?$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-other-way-to-files',
      comment:
        'SQLite of the platform, heap snapshots and modules by name write or load files past the rule above.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/server/workers/program-parts\\.ts$' },
      to: {
        path: '^(node:)?(sqlite|v8|module|inspector(/promises)?|vm|wasi)$',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'processes-only-where-named',
      comment: 'Another program is run for `chat tail --exec` alone, whose person has typed it.',
      severity: 'error',
      from: { path: '^src/(client|cli|library|server)/', pathNot: '^src/cli/run-per-message\\.ts$' },
      to: { path: '^(node:)?child_process$', dependencyTypesNot: ['type-only'] },
    },

    {
      name: 'sql-only-in-store',
      comment: 'SQL is written in one folder; the engine itself is known to its own adapter only.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/server/store/' },
      to: { path: '^node_modules/(sql\\.js|kysely|@types/sql\\.js)/' },
    },
    {
      name: 'sql-js-only-in-sqlite',
      comment: 'The queries serve every engine; what only SQLite needs stands under sqlite/.',
      severity: 'error',
      from: { path: '^src/server/store/', pathNot: '^src/server/store/sqlite/' },
      to: { path: '^node_modules/(sql\\.js|@types/sql\\.js)/' },
    },
    {
      name: 'pg-only-in-postgres',
      comment: 'It is loaded with a database elsewhere alone, and known to its adapter alone.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/server/store/postgres/' },
      to: { path: '^node_modules/(pg|@types/pg)/' },
    },
    {
      name: 'redis-only-in-redis',
      comment: 'It is loaded with a bus alone, and known to the connection alone.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/server/redis/' },
      to: { path: '^node_modules/@redis/' },
    },
    {
      name: 'command-line-packages-only-in-cli',
      comment: 'What reads a command line or talks to a terminal belongs to who typed it.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: '^node_modules/(yargs|@types/yargs|chalk|@inquirer/[^/]+)/' },
    },
  ],
  options: {
    // TypeScript 7 has no API to parse with. swc sees type imports by itself, so `tsPreCompilationDeps` (which asks
    // for an older TypeScript and warns when it is missing) stays off.
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage)/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
