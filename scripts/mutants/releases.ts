import type { Mutant } from './mutant.ts';

/** What is fetched, and what is installed. */
export const releases: readonly Mutant[] = [
  {
    rule: 'a Node that is fetched for an executable is the pinned one, byte for byte',
    file: 'scripts/package/foreign-node.ts',
    find: 'if (!(await isPinned(fetched, pinned.integrity)))',
    replace: 'if (false)',
    test: 'test/toolchain/package/foreign-node.test.ts',
  },
  {
    rule: 'a Node that was kept for an executable is looked at again',
    file: 'scripts/package/foreign-node.ts',
    find: 'if (!(await isPinned(packed, pinned.integrity))) {',
    replace: 'if (await readFile(packed).then(() => false, () => true)) {',
    test: 'test/toolchain/package/foreign-node.test.ts',
  },
  {
    rule: 'what is installed is what the sums tell of',
    file: 'scripts/install.sh',
    find: '  [ "$actual" = "$expected" ] ||',
    replace: '  true ||',
    test: 'test/toolchain/install.test.ts',
    titled: 'nothing where its file is another',
  },
];
