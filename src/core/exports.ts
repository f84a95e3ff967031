import type { OwnSection } from './own-sections.ts';
import { openExports } from './policy.ts';

/** What of an export is asked for: a section from its beginning, or from where the page before it ended. */
export interface ExportStep {
  readonly section: OwnSection;
  readonly after: string | undefined;
}

/** An export under way: of each section that was begun, the `after` of the page that is next; undefined when it is at its end. */
export interface OpenExport {
  readonly next: Map<OwnSection, string | undefined>;
  lastAt: number;
}

/**
 * The exports that are under way. One goes through each section once, in any order, page after page; whatever does not go on with one
 * like that begins another, so that nothing is read twice for one. Kept in memory, for as long as the next page follows soon.
 */
export interface Exports {
  /** The export of an account that a step goes on with, which nobody else can take then; undefined when it begins one. */
  goesOn(account: string, step: ExportStep, now: number): OpenExport | undefined;
  /** Begins an export of an account with a step. */
  begin(account: string, step: ExportStep, now: number): OpenExport;
}

/** Builds the exports of one node. */
export function createExports(): Exports {
  const { idleMs, perAccount, accounts } = openExports;
  const open = new Map<string, OpenExport[]>();

  /** Puts an account last, so that the first one is the one that was idle for longest. */
  function keep(account: string, ofAccount: OpenExport[]): void {
    open.delete(account);
    if (ofAccount.length > 0) open.set(account, ofAccount);
  }

  function alive(account: string, now: number): OpenExport[] {
    return (open.get(account) ?? []).filter(({ lastAt }) => Math.abs(now - lastAt) < idleMs);
  }

  return {
    goesOn(account, { section, after }, now) {
      const ofAccount = alive(account, now);
      const found = ofAccount.find(({ next }) =>
        after === undefined ? !next.has(section) : next.get(section) === after,
      );
      if (found) {
        found.lastAt = now;
        // Of two that ask for the same page at once one goes on.
        found.next.set(section, undefined);
      }
      keep(account, ofAccount);
      return found;
    },
    begin(account, { section }, now) {
      const begun: OpenExport = { next: new Map([[section, undefined]]), lastAt: now };
      keep(account, [...alive(account, now), begun].slice(-perAccount));
      const [oldest] = open.keys();
      if (open.size > accounts && oldest !== undefined) open.delete(oldest);
      return begun;
    },
  };
}
