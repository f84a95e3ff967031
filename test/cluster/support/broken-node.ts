/**
 * `node broken-node.mjs FAULT [flags of serve]`, bundled (`scripts/bundled-breakers.ts`): a node of a cluster with one part that breaks a promise, so that the campaign is seen to
 * find it. What it asks PostgreSQL is changed here; nothing in src can do this.
 */
import { run } from '../../../src/cli/main.ts';
import { systemHost } from '../../../src/cli/system-host.ts';
import { answerBeforeCommits, hideHeads, rememberSessions } from './broken-database.ts';

/** By name, what breaks a node. */
const faults = {
  /** Acknowledges a message before its commit. */
  hasty: answerBeforeCommits,
  /** Never finds where conversations end: it hears of messages by the bus alone. */
  headless: hideHeads,
  /** Believes a session for ever that it has seen once. */
  unrevoked: rememberSessions,
} satisfies Record<string, () => unknown>;

/** What a node can have broken. */
export type NodeFault = keyof typeof faults;

if (import.meta.main) {
  const [fault, ...args] = process.argv.slice(2);
  faults[fault as NodeFault]();
  process.exitCode = await run(['serve', ...args], systemHost());
}
