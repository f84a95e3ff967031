import type { Mutant } from './mutant.ts';

/** What moves with a server, and who may have it on the way. */
export const moving: readonly Mutant[] = [
  {
    rule: 'an export is for its owner alone',
    file: 'src/server/moving/export-directory.ts',
    find: "const file = await open(temporary, 'wx', 0o600);",
    replace: "const file = await open(temporary, 'wx', 0o644);",
    test: 'test/server/moving/export-store.test.ts',
    titled: 'is for its owner alone',
  },
  {
    rule: 'an export has the lock of the data directory',
    file: 'src/server/moving/export-store.ts',
    find: 'const held = await openDataDirectory(path);',
    replace: 'const held = { close: async () => void openDataDirectory };',
    test: 'test/server/moving/export-store.test.ts',
    titled: 'while a server runs there',
  },
  {
    rule: 'a manifest that was changed is refused',
    file: 'src/server/moving/manifest.ts',
    find: 'if (check !== checkOf(rest)) throw',
    replace: "if (check === '') throw",
    test: 'test/server/moving/export-store.test.ts',
    titled: 'whose manifest is damaged',
  },
  {
    rule: 'a password of the database is no flag',
    file: 'src/cli/commands/admin/import-store.ts',
    find: "else checkShown(settings.store, '--store', store);",
    replace: "else checkSetting(settings.store, '--store', store, typeof checkShown);",
    test: 'test/server/moving/commands.test.ts',
    titled: 'says what is missing, or is not to be there',
  },
];
