// Metrics in Prometheus' text format. A registry belongs to a process; a service sees it through `forService`, which puts its name on every series.
// Series of one metric are bounded: beyond the bound, what is new is counted under `other`.
import { setTimeout as delay } from 'node:timers/promises';

export type Labels<L extends string = string> = Readonly<Record<L, string>>;

export interface Counter<L extends string> {
  add(labels: Labels<L>, amount?: number): void;
  /** One series of it, for what happens so often that its labels are looked up once. */
  of(labels: Labels<L>): { add(amount?: number): void };
}

export interface Gauge<L extends string> {
  set(labels: Labels<L>, value: number): void;
  add(labels: Labels<L>, amount: number): void;
  of(labels: Labels<L>): { add(amount: number): void };
}

export interface Histogram<L extends string> {
  observe(labels: Labels<L>, value: number): void;
  of(labels: Labels<L>): { observe(value: number): void };
}

export interface MetricOptions<L extends string> {
  /** One sentence. */
  help: string;
  labels?: readonly L[];
}

export interface HistogramOptions<L extends string> extends MetricOptions<L> {
  /** Upper bounds, ascending. */
  buckets: readonly number[];
}

export interface ObservedOptions<L extends string> extends MetricOptions<L> {
  read: () => Iterable<Sample<L>> | Promise<Iterable<Sample<L>>>;
  /** Default: gauge. */
  kind?: 'gauge' | 'counter';
}

export type Sample<L extends string = string> = readonly [labels: Labels<L>, value: number];

/** What a service declares its metrics with. The same name again gives the same metric. */
export interface Metrics {
  counter<L extends string = never>(name: string, options: MetricOptions<L>): Counter<L>;
  gauge<L extends string = never>(name: string, options: MetricOptions<L>): Gauge<L>;
  histogram<L extends string = never>(name: string, options: HistogramOptions<L>): Histogram<L>;
  /** A number that is looked up whenever somebody asks; what `read` does not tell any more is gone. */
  observed<L extends string = never>(name: string, options: ObservedOptions<L>): void;
}

export interface MetricRegistry {
  forService(service: string): Metrics;
  /** What belongs to the process itself. */
  readonly forProcess: Metrics;
  /** Everything, as text/plain; version=0.0.4. */
  render(): Promise<string>;
}

/** Buckets for durations in seconds: from a quick call to a generation of minutes. */
export const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const;

/** One look for all that are told of it within a second. */
export function shared<T>(read: () => Promise<T>): () => Promise<T> {
  let last: { at: number; value: Promise<T> } | undefined;
  return () => {
    if (!last || performance.now() - last.at > 1000) last = { at: performance.now(), value: read() };
    return last.value;
  };
}

const patienceMs = 5000;

/** Waits five seconds and no longer: a store that is away takes no other metric with it. The look that waits is not begun again. */
function oneAtATime<T>(look: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<T> | undefined;
  return async () => {
    underWay ??= look().finally(() => (underWay = undefined));
    const patience = new AbortController();
    const late = delay(patienceMs, undefined, { signal: patience.signal }).then(
      () => Promise.reject(new Error(`not read within ${patienceMs} ms`)),
      () => new Promise<never>(() => undefined),
    );
    return Promise.race([underWay, late]).finally(() => patience.abort());
  };
}

type Kind = 'counter' | 'gauge' | 'histogram';

interface Series {
  /** `{service="trainer",phase="running"}` without its braces. */
  readonly labels: string;
  value: number;
  /** Of a histogram: how many fell into each bucket, the last one being without bound. */
  readonly counts?: number[];
}

interface Family {
  readonly name: string;
  readonly kind: Kind;
  readonly help: string;
  readonly names: readonly string[];
  readonly buckets: readonly number[];
  readonly series: Map<string, Series>;
}

const mostSeries = 1000;

export function createMetricRegistry(onError: (error: unknown, metric: string) => void = () => undefined) {
  const families = new Map<string, Family>();
  const readers: (() => Promise<void>)[] = [];

  function familyOf(
    kind: Kind,
    name: string,
    options: MetricOptions<string> & { buckets?: readonly number[] },
  ): Family {
    const known = families.get(name);
    if (known) return known;
    const { help, labels = [], buckets = [] } = options;
    const family = { name, kind, help, names: labels, buckets, series: new Map() };
    families.set(name, family);
    return family;
  }

  const metricsWith = (fixed: string): Metrics => ({
    counter(name, options) {
      const family = familyOf('counter', name, options);
      return {
        add(labels, amount = 1) {
          seriesOf(family, fixed, labels).value += amount;
        },
        of: (labels) => adderTo(seriesOf(family, fixed, labels)),
      };
    },
    gauge(name, options) {
      const family = familyOf('gauge', name, options);
      return {
        set(labels, value) {
          seriesOf(family, fixed, labels).value = value;
        },
        add(labels, amount) {
          seriesOf(family, fixed, labels).value += amount;
        },
        of: (labels) => adderTo(seriesOf(family, fixed, labels)),
      };
    },
    histogram(name, options) {
      const family = familyOf('histogram', name, options);
      const observe = (series: Series, value: number): void => {
        const { buckets } = family;
        let at = 0;
        while (at < buckets.length && value > (buckets[at] as number)) at++;
        if (series.counts) series.counts[at] = (series.counts[at] ?? 0) + 1;
        series.value += value;
      };
      return {
        observe: (labels, value) => observe(seriesOf(family, fixed, labels), value),
        of(labels) {
          const series = seriesOf(family, fixed, labels);
          return { observe: (value) => observe(series, value) };
        },
      };
    },
    observed(name, { read, kind = 'gauge', ...options }) {
      const family = familyOf(kind, name, options);
      const look = oneAtATime(async () => [...(await read())]);
      let mine: string[] = [];
      readers.push(async () => {
        for (const key of mine.splice(0)) family.series.delete(key);
        try {
          const samples = await look();
          mine = samples.map(([labels, value]) => {
            seriesOf(family, fixed, labels).value = value;
            return keyOf(family, fixed, labels);
          });
        } catch (error) {
          onError(error, name);
        }
      });
    },
  });

  return {
    forService: (service) => metricsWith(label('service', service)),
    forProcess: metricsWith(''),
    async render() {
      await Promise.all(readers.map((read) => read()));
      return [...families.values()].map(textOf).join('');
    },
  } satisfies MetricRegistry;
}

const adderTo = (series: Series) => ({
  add(amount = 1) {
    series.value += amount;
  },
});

function keyOf({ names }: Family, fixed: string, labels: Labels): string {
  let key = fixed;
  for (const name of names) key += `\0${labels[name]}`;
  return key;
}

function seriesOf(family: Family, fixed: string, labels: Labels): Series {
  const key = keyOf(family, fixed, labels);
  const known = family.series.get(key);
  if (known) return known;
  if (family.series.size >= mostSeries && !Object.values(labels).every((value) => value === 'other')) {
    return seriesOf(family, fixed, Object.fromEntries(family.names.map((name) => [name, 'other'])));
  }
  const text = [fixed, ...family.names.map((name) => label(name, labels[name] ?? ''))].filter(Boolean).join(',');
  const isHistogram = family.kind === 'histogram';
  const counts = isHistogram ? new Array<number>(family.buckets.length + 1).fill(0) : undefined;
  const series: Series = { labels: text, value: 0, ...(counts && { counts }) };
  family.series.set(key, series);
  return series;
}

const label = (name: string, value: string): string =>
  `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;

const braces = (...labels: string[]): string => {
  const text = labels.filter(Boolean).join(',');
  return text && `{${text}}`;
};

function textOf(family: Family): string {
  const { name, kind, help, series } = family;
  const lines = [...series.values()].flatMap((one) => linesOf(family, one));
  return `${[`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`, ...lines].join('\n')}\n`;
}

function linesOf({ name, buckets }: Family, { labels, value, counts }: Series): string[] {
  if (!counts) return [`${name}${braces(labels)} ${numberOf(value)}`];
  let total = 0;
  const cumulative = counts.map((count, at) => {
    total += count;
    return `${name}_bucket${braces(labels, label('le', numberOf(buckets[at] ?? Infinity)))} ${total}`;
  });
  return [...cumulative, `${name}_sum${braces(labels)} ${numberOf(value)}`, `${name}_count${braces(labels)} ${total}`];
}

const numberOf = (value: number): string => {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? String(value) : `${value < 0 ? '-' : '+'}Inf`;
};
