import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import type { HistogramFigures } from '../histogram.ts';
import type { Family } from './families/family.ts';
import { families } from './families.ts';
import type { ServerFigures } from './figures.ts';

/** A text for a scraper, with its media type. */
export interface Spelled {
  readonly type: string;
  readonly body: string;
}

/** Spells figures as Prometheus reads them. */
export interface Exposition {
  /** In OpenMetrics where `accept` asks for it, otherwise in the text format of Prometheus. */
  spell(figures: ServerFigures, accept: string): Promise<Spelled>;
}

/** A metric as a registry of prom-client reads it. */
interface Readable {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: 'sum';
  get(): Promise<{
    name: string;
    help: string;
    type: string;
    values: ReadonlyArray<{
      metricName?: string;
      labels: Partial<Record<string, string | number>>;
      value: number;
    }>;
  }>;
}

/** Builds the exposition: chat's own metrics, and prom-client's of the process and of Node. */
export function createExposition(): Exposition {
  /** What a scrape is of; each metric reads it in one step. */
  let current: ServerFigures | undefined;
  /** One for each format, made when it is asked for: prom-client renames counters for OpenMetrics in their place. */
  const registries = new Map<string, Registry>();
  // One set for both formats: each would watch the event loop and the garbage collection by itself, and forget what it told of.
  const ofTheProcess = new Registry();
  collectDefaultMetrics({ register: ofTheProcess });

  function registryOf(type: string): Registry {
    const known = registries.get(type);
    if (known) return known;
    const registry = new Registry();
    registry.setContentType(type as typeof Registry.PROMETHEUS_CONTENT_TYPE);
    for (const family of families) {
      const readable = readableOf(family, () => current);
      // Its own metric classes hold their values; ours are counted elsewhere and only read. A registry asks no more of a metric than this.
      registry.registerMetric(readable as unknown as Metric);
    }
    for (const metric of ofTheProcess.getMetricsAsArray() as unknown as readonly Readable[]) {
      registry.registerMetric(passedOn(metric) as unknown as Metric);
    }
    registries.set(type, registry);
    return registry;
  }

  return {
    async spell(figures, accept) {
      const type = wantsOpenMetrics(accept)
        ? Registry.OPENMETRICS_CONTENT_TYPE
        : Registry.PROMETHEUS_CONTENT_TYPE;
      current = figures;
      return { type, body: await registryOf(type).metrics() };
    },
  };
}

/** A metric of another registry, under a name of its own: prom-client renames what it spells. */
function passedOn(metric: Readable): Readable {
  const { name, help, type } = metric;
  return {
    name,
    help,
    type,
    aggregator: 'sum',
    async get() {
      const { values } = await metric.get();
      return { name: this.name, help, type, values };
    },
  };
}

/** True when a scraper takes OpenMetrics; one that takes both prefers it (Prometheus, "Content negotiation"). */
function wantsOpenMetrics(accept: string): boolean {
  return accept
    .split(',')
    .map((one) => one.trim().toLowerCase())
    .some((one) => one.startsWith('application/openmetrics-text') && !/;\s*q=0(?:\.0*)?\s*(?:;|$)/.test(one));
}

function readableOf(family: Family, figures: () => ServerFigures | undefined): Readable {
  const { name, help, type } = family;
  return {
    name,
    help,
    type,
    aggregator: 'sum',
    async get() {
      const now = figures();
      // By its name of this moment: prom-client takes `_total` off in OpenMetrics.
      const values = now === undefined ? [] : valuesOf(family, now);
      return { name: this.name, help, type, values };
    },
  };
}

function valuesOf(family: Family, figures: ServerFigures) {
  if (family.type === 'histogram') {
    return family
      .read(figures)
      .flatMap(({ labels = {}, figures: counted }) => bucketsOf(family.name, labels, counted));
  }
  return family.read(figures).map(({ labels = {}, value }) => ({ labels: { ...labels }, value }));
}

/** A histogram's rows: each bucket counts all that are no larger. */
function bucketsOf(
  name: string,
  labels: Readonly<Record<string, string>>,
  { bounds, counts, sum }: HistogramFigures,
) {
  let seen = 0;
  const buckets = counts.map((count, bucket) => {
    seen += count;
    return {
      metricName: `${name}_bucket`,
      labels: { le: bounds[bucket] ?? '+Inf', ...labels },
      value: seen,
    };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: { ...labels }, value: sum },
    { metricName: `${name}_count`, labels: { ...labels }, value: seen },
  ];
}
