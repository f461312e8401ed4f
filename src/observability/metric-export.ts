// The metrics of the table over OTLP: the same numbers that /metrics shows, turned into OpenTelemetry's form at each export.

import { ValueType } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  type CollectionResult,
  DataPointType,
  type HistogramMetricData,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import type { Exposition } from './exposition.ts';

export interface MetricExportOptions {
  readonly exporter: PushMetricExporter;
  readonly resource: Resource;
  readonly version: string;
  readonly exposition: Exposition;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly temporality: 'cumulative' | 'delta';
}

type PromMetric = Awaited<ReturnType<Exposition['values']>>[number];
type HrTime = [number, number];
type Labels = Record<string, string>;

const SCOPE = 'cloud-native-mcp-server';

const toHrTime = (ms: number): HrTime => [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
const toKey = (name: string, labels: Labels): string => `${name}\n${JSON.stringify(labels)}`;
const toUnit = (name: string): string => {
  if (name.includes('_seconds')) return 's';
  return name.includes('_bytes') ? 'By' : '1';
};

interface Window {
  /** Since when the numbers count: the start, or for deltas the last export. */
  readonly start: HrTime;
  readonly end: HrTime;
  readonly temporality: AggregationTemporality;
  /** The number to tell of a rising one. */
  readonly rise: (key: string, value: number) => number;
}

const toLabels = (labels: Readonly<Record<string, unknown>>): Labels =>
  Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, String(value)]));

interface Bucketed {
  readonly labels: Labels;
  /** Bound -> values up to it. */
  readonly upTo: [number, number][];
  sum: number;
  count: number;
}

/** A histogram's lines, which come one per bucket, gathered by their labels. */
const gather = ({ name, values }: PromMetric): Bucketed[] => {
  const found = new Map<string, Bucketed>();
  for (const { metricName, labels, value } of values) {
    const { le, ...rest } = labels as Readonly<Record<string, unknown>>;
    const own = toLabels(rest);
    const key = JSON.stringify(own);
    const entry = found.get(key) ?? { labels: own, upTo: [], sum: 0, count: 0 };
    found.set(key, entry);
    if (metricName === `${name}_sum`) entry.sum = value;
    else if (metricName === `${name}_count`) entry.count = value;
    else if (le !== '+Inf') entry.upTo.push([Number(le), value]);
  }
  return [...found.values()];
};

const toHistogram = (metric: PromMetric, { start, end, rise }: Window): HistogramMetricData['dataPoints'] =>
  gather(metric).map(({ labels, upTo, sum, count }) => {
    const key = toKey(metric.name, labels);
    const rising = upTo.toSorted(([a], [b]) => a - b);
    const own = [...rising.map(([, value]) => value), count].map((value, index, all) => value - (index === 0 ? 0 : (all[index - 1] ?? 0)));
    return {
      attributes: labels,
      startTime: start,
      endTime: end,
      value: {
        buckets: {
          boundaries: rising.map(([bound]) => bound),
          counts: own.map((value, index) => rise(`${key} ${index}`, value)),
        },
        sum: rise(`${key} sum`, sum),
        count: rise(`${key} count`, count),
      },
    };
  });

const toMetricData = (metric: PromMetric, window: Window): MetricData | undefined => {
  const { name, help, values } = metric;
  // A number without a value (NaN) is none: OTLP has no word for it.
  const known = values.filter(({ value }) => Number.isFinite(value));
  if (known.length === 0) return undefined;
  const descriptor = { name, description: help, unit: toUnit(name), valueType: ValueType.DOUBLE };
  const type = String(metric.type);
  if (type === 'histogram') {
    const dataPoints = toHistogram({ ...metric, values: known }, window);
    return { descriptor, dataPointType: DataPointType.HISTOGRAM, aggregationTemporality: window.temporality, dataPoints };
  }
  const point = (value: number, labels: Labels) => ({ attributes: labels, startTime: window.start, endTime: window.end, value });
  if (type === 'counter') {
    const dataPoints = known.map(({ value, labels }) => {
      const own = toLabels(labels);
      return point(window.rise(toKey(name, own), value), own);
    });
    return { descriptor, dataPointType: DataPointType.SUM, isMonotonic: true, aggregationTemporality: window.temporality, dataPoints };
  }
  const dataPoints = known.map(({ value, labels }) => point(value, toLabels(labels)));
  return { descriptor, dataPointType: DataPointType.GAUGE, aggregationTemporality: AggregationTemporality.CUMULATIVE, dataPoints };
};

/** Makes the window of each export. Deltas remember what was told, one number per series: as many as the table allows. */
const createWindows = (temporality: MetricExportOptions['temporality']): (() => Window) => {
  const told = new Map<string, number>();
  let start = toHrTime(Date.now());
  const rise = (key: string, value: number): number => {
    const before = told.get(key) ?? 0;
    told.set(key, value);
    return value - before;
  };
  return () => {
    const end = toHrTime(Date.now());
    if (temporality === 'cumulative') return { start, end, temporality: AggregationTemporality.CUMULATIVE, rise: (_, value) => value };
    const window = { start, end, temporality: AggregationTemporality.DELTA, rise };
    start = end;
    return window;
  };
};

/** Exports at every interval; the returned function sends the last numbers and ends. */
export const startMetricExport = (options: MetricExportOptions): (() => Promise<void>) => {
  const nextWindow = createWindows(options.temporality);
  const collect = async (): Promise<CollectionResult> => {
    const values = await options.exposition.values();
    const window = nextWindow();
    const metrics = values.flatMap((metric) => toMetricData(metric, window) ?? []);
    const scopeMetrics = [{ scope: { name: SCOPE, version: options.version }, metrics }];
    return { resourceMetrics: { resource: options.resource, scopeMetrics }, errors: [] };
  };
  const reader = new PeriodicExportingMetricReader({
    exporter: options.exporter,
    exportIntervalMillis: options.intervalMs,
    exportTimeoutMillis: options.timeoutMs,
    metricProducers: [{ collect }],
  });
  const provider = new MeterProvider({ resource: options.resource, readers: [reader] });
  return () => provider.shutdown();
};
