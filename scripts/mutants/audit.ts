import type { Mutant } from './mutant.ts';

/** The audit trail: that it is written, whole, and says so when it is not. */
export const audit: readonly Mutant[] = [
  {
    rule: 'a call that succeeds is audited',
    file: 'src/core/pipeline.ts',
    find: "services.audit(entry(operation, peer, now, { user: caller, notes, outcome: 'ok' }));",
    replace: 'void result;',
    tests: ['test/core/login.test.ts'],
  },
  {
    rule: 'a call that fails is audited',
    file: 'src/core/pipeline.ts',
    find: 'services.audit(entry(operation, peer, now, { user: caller, notes, outcome: safe.code }));',
    replace: 'void safe;',
    tests: ['test/core/login.test.ts'],
  },
  {
    rule: 'sessions that end are audited',
    file: 'src/core/chat.ts',
    find: "      trail.append({ at: Date.now(), operation: 'session.ended'",
    replace: "      if (user === '') trail.append({ at: Date.now(), operation: 'session.ended'",
    tests: ['test/core/sessions.test.ts', 'test/core/audit.test.ts'],
  },
  {
    rule: 'a row’s hash is over the row before',
    file: 'src/core/audit-chain.ts',
    find: 'return digests.sha256(concat(previous, utf8(text)));',
    replace: 'return digests.sha256(concat(previous.slice(0, 0), utf8(text)));',
    tests: ['test/server/audit-trail.test.ts'],
  },
  {
    rule: 'a row’s hash is over all of it',
    file: 'src/core/audit-chain.ts',
    find: 'JSON.stringify([seq, at, operation, user, door, factor, address, outcome, details])',
    replace: 'JSON.stringify([seq, at, operation, user, door, factor, outcome, details])',
    tests: ['test/server/audit-trail.test.ts'],
  },
  {
    rule: 'an edited row is told',
    file: 'src/core/audit-chain.ts',
    find: "if (!equalDigests(expected, row.hash)) return { seq: row.seq, kind: 'edited' };",
    replace: 'void expected;',
    tests: ['test/server/audit-trail.test.ts'],
  },
  {
    rule: 'a gap is told',
    file: 'src/core/audit-chain.ts',
    find: "if (row.seq > seq + 1) return { seq: seq + 1, kind: 'missing' };",
    replace: '',
    tests: ['test/server/audit-trail.test.ts'],
  },
  {
    rule: 'a trail that ends early is told',
    file: 'src/core/audit-chain.ts',
    find: "finish: () => (seq < head.seq ? { seq: seq + 1, kind: 'cut-off' } : undefined),",
    replace: 'finish: () => undefined,',
    tests: ['test/server/audit-trail.test.ts'],
  },
  {
    rule: 'a trail that was written anew is told',
    file: 'src/core/audit-chain.ts',
    find: "if (seq === head.seq && !equalDigests(hash, head.hash)) return { seq, kind: 'edited' };",
    replace: '',
    tests: ['test/server/audit-trail.test.ts'],
  },
  {
    rule: 'the seal is looked at',
    file: 'src/cli/audit/verify-trail.ts',
    find: "if (!sealed) return failed('the seal over its ends is not that of this server');",
    replace: 'void sealed;',
    tests: ['test/server/audit-trail.test.ts'],
  },
  {
    rule: 'old rows go from the beginning alone',
    file: 'src/server/store/queries/audit.ts',
    find: 'const through = young ? young.seq - 1 : upTo;',
    replace: 'const through = upTo;',
    tests: ['test/contract/store-sqlite.test.ts'],
  },
  {
    rule: '16.4.1 an entry cannot forge a line on a terminal',
    file: 'src/cli/commands/admin/audit.ts',
    find: "(cell) => escapeForTerminal(cell ?? '-'),",
    replace: "(cell) => cell ?? '-',",
    tests: ['test/cli/admin-audit.test.ts'],
  },
];
