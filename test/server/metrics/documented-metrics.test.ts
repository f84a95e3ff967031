import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { limitNames } from '../../../src/core/ports/meter.ts';
import { families } from '../../../src/server/metrics/families.ts';
import { thresholds } from '../../../src/server/metrics/warnings.ts';
import { faultsIn } from './promql.ts';

const docs = new URL('../../../docs/', import.meta.url);
const page = readFileSync(new URL('operating.md', docs), 'utf8');
const alerts = readFileSync(new URL('alerts.yml', docs), 'utf8');

/** What prom-client adds that our pages speak of. */
const ofTheProcess = ['process_resident_memory_bytes', 'process_cpu_seconds_total'];
const names = [...families.map(({ name }) => name), ...ofTheProcess];

/** The metrics that a text names; a histogram's rows belong to it. */
function namedIn(text: string): string[] {
  return [...text.matchAll(/\b(?:chat|process|nodejs)_[a-z0-9_]+\b/g)].map(([name]) =>
    name.replace(/_(?:bucket|sum|count)$/, ''),
  );
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string };
}

it('every metric of chat has its row in docs/operating.md, with its type and its help', () => {
  const rows = [...page.matchAll(/^\| `(chat_[a-z0-9_]+)` \| (counter|gauge|histogram) \| (.+) \|$/gm)];
  expect(rows.map(([, name, type, help]) => ({ name, type, help }))).toEqual(
    families.map(({ name, type, help }) => ({ name, type, help })),
  );
});

it('docs/operating.md speaks of no metric that there is not', () => {
  expect(
    namedIn(page).filter((name) => !names.includes(name) && name !== 'process_' && name !== 'nodejs_'),
  ).toEqual([]);
});

const { groups } = parse(alerts) as { groups: Array<{ name: string; rules: Rule[] }> };
const rules = groups.flatMap((group) => group.rules);
const exprOf = (alert: string): string | undefined => rules.find((rule) => rule.alert === alert)?.expr;

it('docs/alerts.yml is YAML, and its rules are of metrics that there are', () => {
  expect(rules.length).toBeGreaterThan(10);
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  for (const { alert, expr, annotations } of rules) {
    expect(alert).toMatch(/^Chat[A-Z][A-Za-z]+$/);
    expect(annotations.summary).not.toBe('');
    const named = namedIn(expr);
    expect(named.length > 0 || expr.startsWith('up{'), alert).toBe(true);
    expect(
      named.filter((name) => !names.includes(name)),
      alert,
    ).toEqual([]);
  }
});

it('docs/operating.md names every limit that refuses, and no other', () => {
  const [, told = ''] = /; `limit` is ([^;]+);/.exec(page) ?? [];
  expect([...told.matchAll(/`([a-z-]+)`/g)].map(([, name]) => name).sort()).toEqual([...limitNames].sort());
});

it.each(rules)('$alert is PromQL', ({ expr }) => {
  expect(faultsIn(expr)).toEqual([]);
});

it.each([
  ['chat_store_queue >', 'no PromQL'],
  ['rate(chat_mails_sent_total[5m]) > > 1', 'no PromQL'],
  ['a > 0.9 * on (instance) (b > 0)', 'one side is no vector'],
  ['(a + on (instance) b) > on (instance) (time() - 1)', 'one side is no vector'],
])('the check of rules finds what Prometheus would refuse: %s', (expr, fault) => {
  expect(faultsIn(expr)).toContain(fault);
});

it.each([
  ['ChatDiskNearlyFull', '<', thresholds.freeDiskBytes],
  ['ChatSlowSync', '>', thresholds.syncSeconds],
  ['ChatEventLoopLate', '>', thresholds.loopDelaySeconds],
  ['ChatStoreBehind', '>', thresholds.storeQueue],
  ['ChatLogGrows', '>', thresholds.logBytes],
  ['ChatMemoryShort', '<', thresholds.availableMemoryBytes],
  ['ChatConnectionsNearLimit', '>', thresholds.connectionsPart],
  ['ChatQueuedForReaders', '>', thresholds.queuedBytes],
  ['ChatPasswordsWait', '>', thresholds.passwordsWaiting],
  ['ChatMailWaits', '>', thresholds.mailsWaiting],
  ['ChatAuditBehind', '>', thresholds.auditWaiting],
  ['ChatStoreConnectionsWait', '>', thresholds.storeWaiting],
  ['ChatSearchBehind', '>', thresholds.indexLag],
  ['ChatBackupOld', '>', thresholds.backupAgeMs / 1_000],
  ['ChatCertificateExpires', '<', thresholds.certificateLeftMs / 1_000],
])('%s goes by the value of which chat admin stats warns: %s %d', (alert, operator, value) => {
  const [, compared, matching, number] = exprOf(alert)?.match(/([<>]=?)( on \(instance\))? ([\d.]+)/) ?? [];
  expect([compared, number]).toEqual([operator, String(value)]);
  expect(matching !== undefined).toBe(alert === 'ChatConnectionsNearLimit');
});

it.each([
  ['ChatBugs', 'chat_bugs_total'],
  ['ChatDiskFull', 'chat_store_disk_full_total'],
  ['ChatAuditBehind', 'chat_audit_lost_total'],
  ['ChatMailWaits', 'chat_mails_given_up_total'],
])('%s goes by the hour in which chat admin stats counts %s', (alert, name) => {
  expect(exprOf(alert)).toContain(`increase(${name}[1h]) > 0`);
});
