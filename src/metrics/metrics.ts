import { assert } from '../base/index.ts';
import type { MetricDefinition, MetricDefinitions } from './definition.ts';
import { Histogram } from './histogram.ts';
import { labels, withLabels } from './labels.ts';
import type { LabelText } from './labels.ts';

/** Values of one metric, with the labels of each. */
export type MetricSamples = Iterable<readonly [labels: LabelText, value: number | bigint]>;

/** What a histogram has counted so far: of each bound (seconds), how many were not above it. */
export interface HistogramReading {
  cumulative(): Iterable<readonly [bound: number, count: number]>;
  readonly sum: number;
  readonly count: number;
}

export type HistogramSamples = Iterable<readonly [labels: LabelText, reading: HistogramReading]>;

type LabelsOf<Definition> = Definition extends { readonly labels: readonly (infer Name extends string)[] }
  ? Readonly<Record<Name, string>>
  : Readonly<Record<string, never>>;

type NamesOfType<D extends MetricDefinitions, Type extends MetricDefinition['type']> = {
  [Name in keyof D & string]: D[Name]['type'] extends Type ? Name : never;
}[keyof D & string];

/** The text format of Prometheus, version 0.0.4. */
export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8';

/** The text is handed on in parts of about this length, with a turn of the event loop after each. */
const partLength = 32 * 1024;

/**
 * The metrics of one process. Numbers that somebody keeps anyway are provided: a function gives them when the metrics are
 * read. Events that nobody keeps are counted and observed here.
 *
 * Own code and no library: with ten thousand real servers the usual one holds up the event loop for a second at every
 * reading and keeps 140 MB for it, since it makes and keeps an object for each series; this one writes 10 MB of text in
 * slices and keeps nothing.
 */
export class Metrics<D extends MetricDefinitions> {
  readonly #definitions: D;
  readonly #counters = new Map<string, Map<LabelText, number>>();
  readonly #histograms = new Map<string, Map<LabelText, Histogram>>();
  readonly #providers = new Map<string, (() => MetricSamples)[]>();
  readonly #histogramProviders = new Map<string, () => HistogramSamples>();
  readonly #preparations: (() => Promise<void> | void)[] = [];

  constructor(definitions: D) {
    this.#definitions = definitions;
    for (const [name, { type, labels: names = [], seeds, buckets = [] }] of Object.entries(definitions)) {
      const from = seeds ?? (names.length === 0 ? [{}] : []);
      if (type === 'counter')
        this.#counters.set(name, new Map(seeds === undefined ? [] : from.map((seed) => [labels(seed), 0])));
      if (type === 'histogram')
        this.#histograms.set(name, new Map(from.map((seed) => [labels(seed), new Histogram(buckets)])));
    }
  }

  /** Something happened. @param by @default 1 */
  count<Name extends NamesOfType<D, 'counter'>>(name: Name, values: LabelsOf<D[Name]>, by = 1): void {
    const series = this.#counters.get(name);
    assert(series !== undefined, `${name} is a counter`);
    const text = labels(values);
    series.set(text, (series.get(text) ?? 0) + by);
  }

  /** Something took so long (seconds), or was so much. */
  observe<Name extends NamesOfType<D, 'histogram'>>(
    name: Name,
    values: LabelsOf<D[Name]>,
    value: number,
  ): void {
    const series = this.#histograms.get(name);
    assert(series !== undefined, `${name} is a histogram`);
    const text = labels(values);
    let histogram = series.get(text);
    if (histogram === undefined) {
      histogram = new Histogram(this.#definitions[name]?.buckets ?? []);
      series.set(text, histogram);
    }
    histogram.observe(value);
  }

  /** Who knows the values asks for nothing in between: the function is called at each reading. */
  provide<Name extends NamesOfType<D, 'counter' | 'gauge'>>(name: Name, samples: () => MetricSamples): void {
    const known = this.#providers.get(name) ?? [];
    this.#providers.set(name, [...known, samples]);
  }

  /** A single value without labels. */
  provideValue<Name extends NamesOfType<D, 'counter' | 'gauge'>>(
    name: Name,
    value: () => number | undefined,
  ): void {
    this.provide(name, () => {
      const now = value();
      return now === undefined ? [] : [[labels({}), now]];
    });
  }

  /** The same for a histogram that somebody keeps anyway, with the bounds of its definition. */
  provideHistogram<Name extends NamesOfType<D, 'histogram'>>(
    name: Name,
    samples: () => HistogramSamples,
  ): void {
    this.#histogramProviders.set(name, samples);
  }

  /** Is waited for before a reading begins. What it throws ends the reading. */
  prepare(preparation: () => Promise<void> | void): void {
    this.#preparations.push(preparation);
  }

  /** One reading, in parts, as they are made. */
  async *text(): AsyncGenerator<string> {
    for (const preparation of this.#preparations) await preparation();
    let part = '';
    for (const name of Object.keys(this.#definitions)) {
      for (const line of this.#lines(name)) {
        part += line;
        if (part.length < partLength) continue;
        yield part;
        part = '';
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    yield part;
  }

  *#lines(name: string): Generator<string> {
    const definition = this.#definitions[name];
    assert(definition !== undefined, `${name} is defined`);
    yield `# HELP ${name} ${definition.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${definition.type}\n`;
    for (const [text, histogram] of this.#histograms.get(name) ?? [])
      yield histogramLines(name, text, histogram);
    for (const [text, histogram] of this.#histogramProviders.get(name)?.() ?? [])
      yield histogramLines(name, text, histogram);
    const counters = this.#counters.get(name) ?? new Map<LabelText, number>();
    const providers = this.#providers.get(name) ?? [];
    const isPlain = definition.type === 'counter' && (definition.labels ?? []).length === 0;
    if (isPlain && counters.size === 0 && providers.length === 0) yield `${name} 0\n`;
    const provided = new Set<LabelText>();
    const isSeeded = counters.size > 0;
    for (const samples of providers) {
      for (const [text, value] of samples()) {
        if (isSeeded) provided.add(text);
        yield `${name}${text} ${formatValue(value)}\n`;
      }
    }
    for (const [text, value] of counters)
      if (!provided.has(text)) yield `${name}${text} ${formatValue(value)}\n`;
  }
}

function histogramLines(name: string, text: LabelText, histogram: HistogramReading): string {
  const lines = [...histogram.cumulative()].map(
    ([bound, count]) => `${name}_bucket${withLabels(text, { le: String(bound) })} ${count}\n`,
  );
  return [
    ...lines,
    `${name}_bucket${withLabels(text, { le: '+Inf' })} ${histogram.count}\n`,
    `${name}_sum${text} ${formatValue(histogram.sum)}\n`,
    `${name}_count${text} ${histogram.count}\n`,
  ].join('');
}

function formatValue(value: number | bigint): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
