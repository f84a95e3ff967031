import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLimits, type Limits } from '../../src/core/limits.ts';
import { defaultPolicy } from '../../src/core/policy.ts';
import type { Bus, Notice } from '../../src/core/ports/bus.ts';
import { localBus } from '../../src/server/bus/local.ts';
import { localCounter } from '../../src/server/counter/local.ts';
import { Network } from './support/network.ts';

const start = Date.parse('2026-03-01T12:00:00.000Z');

beforeEach(() => void vi.useFakeTimers({ now: start }));
afterEach(() => void vi.useRealTimers());

function limitsOn(bus: Bus, messagesPerSecond: number): Limits {
  return createLimits({ policy: { ...defaultPolicy, messagesPerSecond }, counter: localCounter(), bus });
}

function passes(limits: Limits, key: string): boolean {
  try {
    limits.takeMessage(key, Date.now());
    return true;
  } catch {
    return false;
  }
}

/** How many of a key pass now. */
function free(limits: Limits, key = 'a'): number {
  let count = 0;
  while (passes(limits, key)) count += 1;
  return count;
}

describe('the rate of messages over several nodes', () => {
  it('is the same as on one, once the others have been told', () => {
    const network = new Network();
    const [here, there] = [limitsOn(network.open(), 10), limitsOn(network.open(), 10)];
    for (let one = 0; one < 60; one++) expect(passes(here, 'a')).toBe(true);
    vi.advanceTimersByTime(199);
    expect(passes(there, 'a')).toBe(true);
    vi.advanceTimersByTime(1);
    // A full bucket gets no fuller while it waits for the word.
    expect(free(there)).toBe(100 - 61);
    // Another account is untouched.
    expect(free(there, 'b')).toBe(100);
  });

  it('is made up for when two nodes had let pass more than one may', () => {
    const network = new Network();
    const [here, there] = [limitsOn(network.open(), 10), limitsOn(network.open(), 10)];
    expect([free(here), free(there)]).toEqual([100, 100]);
    vi.advanceTimersByTime(200);
    // A hundred too many are ten seconds of the rate, and the next one is free after a tenth of a second more.
    vi.advanceTimersByTime(9_899);
    expect([free(here), free(there)]).toEqual([0, 0]);
    vi.advanceTimersByTime(100);
    expect(free(here)).toBe(1);
  });

  it('locks nobody out for longer than a burst takes, though twenty nodes had let a burst pass', () => {
    const network = new Network();
    const nodes = Array.from({ length: 20 }, () => limitsOn(network.open(), 10));
    for (const node of nodes) expect(free(node)).toBe(100);
    vi.advanceTimersByTime(200);
    // A hundred too many, and the next one.
    vi.advanceTimersByTime(10_000);
    expect(nodes.map((node) => free(node))).toEqual(nodes.map(() => 0));
    vi.advanceTimersByTime(100);
    expect(nodes.map((node) => passes(node, 'a'))).toEqual(nodes.map(() => true));
  });

  it('lets no account have more than its rate and what passes until the word is round', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.array(
          fc.record({ node: fc.nat({ max: 2 }), tries: fc.nat({ max: 30 }), pause: fc.nat({ max: 400 }) }),
          {
            maxLength: 60,
          },
        ),
        (perSecond, steps) => {
          vi.setSystemTime(start);
          const network = new Network();
          const nodes = Array.from({ length: 3 }, () => limitsOn(network.open(), perSecond));
          let passed = 0;
          /** What passed since the others were last told for sure. */
          let most = 0;
          const recent: number[] = [];
          for (const { node, tries, pause } of steps) {
            vi.advanceTimersByTime(pause);
            const limits = nodes[node];
            for (let one = 0; one < tries && limits && passes(limits, 'a'); one++) {
              passed += 1;
              recent.push(Date.now());
            }
            const untold = recent.filter((at) => at > Date.now() - 200).length;
            most = Math.max(most, untold);
            const allowed = perSecond * 10 + ((Date.now() - start) * perSecond) / 1_000;
            expect(passed).toBeLessThanOrEqual(allowed + most);
          }
          for (const limits of nodes) limits.stop();
        },
      ),
      { numRuns: 50 },
    );
  });

  it('tells only of keys that took something, together, and nothing when there was nothing', () => {
    const network = new Network();
    const limits = limitsOn(network.open(), 10);
    const heard: Notice[] = [];
    network.open().subscribe((notice) => heard.push(notice));
    vi.advanceTimersByTime(10_000);
    expect(heard).toEqual([]);
    for (const key of ['a', 'b', 'a']) limits.takeMessage(key, Date.now());
    vi.advanceTimersByTime(1_000);
    expect(heard).toEqual([
      {
        type: 'messages-taken',
        node: expect.any(String),
        taken: [
          ['a', 2],
          ['b', 1],
        ],
      },
    ]);
    // What was refused is not told.
    free(limits);
    const before = heard.length;
    vi.advanceTimersByTime(200);
    expect(passes(limits, 'a') && passes(limits, 'a')).toBe(true);
    expect(heard).toHaveLength(before + 1);
    limits.stop();
    expect(heard).toHaveLength(before + 2);
    vi.advanceTimersByTime(1_000);
    expect(heard).toHaveLength(before + 2);
  });

  it('is not taken twice when the own word comes back late', () => {
    const network = new Network();
    network.weather = 'slow';
    const limits = limitsOn(network.open(), 10);
    expect(free(limits)).toBe(100);
    vi.advanceTimersByTime(10_000);
    expect(free(limits)).toBe(100);
  });

  it('is each node’s own when nothing arrives, and nobody else is told on a node that is alone', () => {
    const network = new Network();
    network.weather = 'lost';
    const [here, there] = [limitsOn(network.open(), 10), limitsOn(network.open(), 10)];
    expect(free(here)).toBe(100);
    vi.advanceTimersByTime(200);
    expect(free(there)).toBe(100);
    const bus = localBus(() => {});
    const told: Notice[] = [];
    bus.subscribe((notice) => told.push(notice));
    const alone = limitsOn(bus, 10);
    expect(free(alone)).toBe(100);
    vi.advanceTimersByTime(1_000);
    alone.stop();
    expect(told).toEqual([]);
  });

  it('of 0 tells nobody and refuses nothing', () => {
    const network = new Network();
    const limits = limitsOn(network.open(), 0);
    const heard: Notice[] = [];
    network.open().subscribe((notice) => heard.push(notice));
    for (let one = 0; one < 1_000; one++) expect(passes(limits, 'a')).toBe(true);
    vi.advanceTimersByTime(1_000);
    expect(heard).toEqual([]);
  });
});
