import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Figure, figureOf, type Target } from '../../../scripts/bench/figure.ts';
import { axisFor, tickText } from '../../../scripts/bench/plots/axis.ts';
import { newestOf } from '../../../scripts/bench/plots/kept-runs.ts';
import { pageWith } from '../../../scripts/bench/plots/page.ts';
import { reachedOf } from '../../../scripts/bench/plots/target-chart.ts';
import { madeFiles } from '../../../scripts/bench/plots.ts';
import type { Machine, Report } from '../../../scripts/bench/report.ts';

const machine: Machine = {
  cores: 2,
  processor: 'one of <these>',
  memoryBytes: 8 * 2 ** 30,
  node: 'v26.10.0',
  kernel: 'Linux 6.18',
  date: '2026-11-22T02:00:00.000Z',
};

function point(x: number, value: number, target?: Target): Figure {
  return figureOf({
    name: `to ${x}`,
    unit: 'µs',
    values: [value, value * 2, value * 3],
    floor: { name: 'bare Node', values: [1, 1, 1] },
    series: { name: 'CPU per delivery', x, of: 'followers' },
    ...(target && { target }),
  });
}

function report(figures: readonly Figure[], more: Partial<Report['workloads'][number]> = {}): Report {
  return { machine, rounds: 3, workloads: [{ name: 'fan-out', figures, leftOut: [], ...more }] };
}

const figures = [point(10, 4, { sentence: 'at most 5 µs', judged: 'value', atMost: 5 }), point(10_000, 1)];
const markers = ['targets', 'plots', 'figures'].map(
  (name) => `<!-- bench: ${name} -->\nold\n\n<!-- /bench -->\n`,
);

describe('what is made from kept runs', () => {
  const docs = mkdtempSync(join(tmpdir(), 'chat-plots-'));
  let made: ReadonlyMap<string, string | undefined>;
  beforeAll(() => {
    mkdirSync(join(docs, 'performance'));
    writeFileSync(join(docs, 'performance', 'one.json'), JSON.stringify(report(figures)));
    writeFileSync(join(docs, 'performance', 'former.svg'), '');
    writeFileSync(join(docs, 'performance.md'), markers.join(''));
    writeFileSync(join(docs, 'scaling.md'), '<!-- bench: capacity -->\nold\n<!-- /bench -->\n');
    made = madeFiles(docs);
  });
  afterAll(() => rmSync(docs, { recursive: true }));

  test('a plot for each series and one of the targets, the page, and no plot that nothing gives any more', () => {
    expect([...made].map(([path, content]) => [basename(path), content === undefined])).toEqual([
      ['former.svg', true],
      ['targets.svg', false],
      ['cpu-per-delivery.svg', false],
      ['performance.md', false],
      ['scaling.md', false],
    ]);
  });

  test('a plot names its axes with their units, has the floor beside ours, and is drawn for both themes', () => {
    const svg = made.get(join(docs, 'performance', 'cpu-per-delivery.svg')) ?? '';
    for (const text of ['>CPU per delivery<', '>followers<', '>µs<', '>chat<', '>bare Node<', '>10k<']) {
      expect(svg).toContain(text);
    }
    expect(svg.match(/class="line (ours|floor)"/g)).toEqual(['class="line floor"', 'class="line ours"']);
    expect(svg).toContain('@media (prefers-color-scheme: dark)');
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  test('the page has the targets, the plots and the figures between its markers', () => {
    const page = made.get(join(docs, 'performance.md')) ?? '';
    expect(page).toContain('| to 10 | at most 5 µs | 8 (4–12) µs | **missed** |');
    expect(page).toContain('![CPU per delivery](performance/cpu-per-delivery.svg)');
    expect(page).toContain(
      '### fan-out\n\n2026-11-22, 3 rounds, 2 cores (one of <these>), 8 GB, Node v26.10.0, Linux 6.18.',
    );
    expect(page).toContain('| to 10000 | 2 (1–3) µs | 2 (1–3) × bare Node |  |');
    expect(page).not.toContain('old');
  });

  test('a file that is no run is named', () => {
    const path = join(docs, 'performance', 'other.json');
    writeFileSync(path, '{"figures":[]}');
    expect(() => madeFiles(docs)).toThrow(`${path} is not what npm run bench -- --json FILE keeps`);
    writeFileSync(path, '{');
    expect(() => madeFiles(docs)).toThrow(`${path} is not JSON`);
    rmSync(path);
  });
});

test('of a workload that several runs have, the newest counts', () => {
  const later = { ...report([point(1, 1)]), machine: { ...machine, date: '2026-11-23T00:00:00.000Z' } };
  const [kept, ...more] = newestOf([later, report(figures)]);
  expect(more).toEqual([]);
  expect(kept?.figures).toEqual([point(1, 1)]);
});

test('what was left out or failed stands on the page, and a marker that nothing is made for is a mistake', () => {
  const leftOut = [{ what: '10,000 followers', why: 'too few files' }];
  const outcomes = newestOf([report([], { leftOut, failed: 'the server said no' })]);
  const page = pageWith(markers.join(''), outcomes, []);
  expect(page).toContain('Left out: 10,000 followers: too few files.\n\nFailed: the server said no');
  expect(pageWith(markers.join(''), [], []).match(/No run is kept yet\./g)).toHaveLength(3);
  expect(() => pageWith('<!-- bench: idle -->\n<!-- /bench -->', [], [])).toThrow(
    'nothing is made for <!-- bench: idle -->',
  );
});

test('a target is reached so many times, whether it is a least or a most, by value or by ratio', () => {
  const reached = (target: Omit<Target, 'sentence'>) => reachedOf(point(1, 4, { sentence: '', ...target }));
  expect(reached({ judged: 'value', atLeast: 4 })).toEqual({ name: 'to 1', middle: 2, worst: 1, best: 3 });
  expect(reached({ judged: 'value', atMost: 24 })).toEqual({ name: 'to 1', middle: 3, worst: 2, best: 6 });
  expect(reached({ judged: 'ratio', atMost: 24 })).toEqual({ name: 'to 1', middle: 3, worst: 2, best: 6 });
  expect(reachedOf(point(1, 4))).toBeUndefined();
});

test('an axis goes by powers where values are far apart and from 0 where they are not, and its ends hold all of them', () => {
  expect(axisFor([10, 10_000], [0, 300]).ticks).toEqual([10, 100, 1_000, 10_000]);
  expect(axisFor([0.03, 0.9], [0, 300]).ticks).toEqual([0.02, 0.05, 0.1, 0.2, 0.5, 1]);
  expect(axisFor([3, 59], [0, 300]).ticks).toEqual([0, 10, 20, 30, 40, 50, 60]);
  expect(axisFor([0, 1_000], [0, 300]).ticks).toEqual([0, 200, 400, 600, 800, 1_000]);
  const { at } = axisFor([7, 50_000], [0, 300]);
  expect(at(7)).toBeGreaterThan(0);
  expect(at(50_000)).toBeLessThan(300);
});

test('places on an axis have short names', () => {
  expect([0, 0.05, 1, 200, 2_500, 10_000, 5e6, 2e9].map(tickText)).toEqual([
    '0',
    '0.05',
    '1',
    '200',
    '2.5k',
    '10k',
    '5M',
    '2G',
  ]);
});

test('the plots and the tables in docs/ are those of the runs that are kept there (npm run bench:plots)', () => {
  for (const [path, content] of madeFiles(resolve(import.meta.dirname, '../../../docs'))) {
    expect(content, path).toBeDefined();
    expect(readFileSync(path, 'utf8'), path).toBe(content);
  }
});
