// The table as Prometheus text. prom-client writes it and brings the metrics of the process; it is loaded with the first listener that offers /metrics.

import { collectDefaultMetrics, type MetricObjectWithValues, type MetricValueWithName, Registry } from 'prom-client';
import { type Family, Histogram } from './instruments.ts';
import type { Metrics } from './metrics.ts';

type Value = MetricValueWithName<string>;

const toLabels = (names: readonly string[], values: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']));

const toHistogramValues = (name: string, labels: Record<string, string>, histogram: Histogram): Value[] => {
  let running = 0;
  const buckets = histogram.counts.map((count, index) => {
    running += count;
    return { metricName: `${name}_bucket`, labels: { ...labels, le: histogram.bounds[index] ?? '+Inf' }, value: running };
  });
  return [
    ...(buckets as Value[]),
    { metricName: `${name}_sum`, labels, value: histogram.sum },
    { metricName: `${name}_count`, labels, value: histogram.count },
  ];
};

const toValues = ({ name, definition, all }: Family): Value[] =>
  [...all()].flatMap(({ values, child }): Value[] => {
    const labels = toLabels(definition.labels, values);
    return child instanceof Histogram ? toHistogramValues(name, labels, child) : [{ metricName: name, labels, value: child.value }];
  });

/** What a registry asks of a metric. */
const toMetric = (family: Family) => {
  const get = async (): Promise<MetricObjectWithValues<Value>> =>
    ({
      name: family.name,
      help: family.definition.help,
      type: family.definition.type,
      aggregator: 'sum',
      values: toValues(family),
    }) as never;
  return { name: family.name, help: family.definition.help, type: family.definition.type, get, getForPromString: get, reset: () => {} };
};

export interface Exposition {
  readonly contentType: string;
  text(): Promise<string>;
  /** The same as data, for OTLP. */
  values(): Promise<readonly MetricObjectWithValues<Value>[]>;
}

/** One per application; starts the process's own metrics. */
export const createExposition = (metrics: Metrics): Exposition => {
  const registry = new Registry();
  for (const family of Object.values(metrics.families)) registry.registerMetric(toMetric(family as Family) as never);
  collectDefaultMetrics({ register: registry });
  return {
    contentType: registry.contentType,
    async text() {
      await metrics.collect();
      return registry.metrics();
    },
    async values() {
      await metrics.collect();
      return registry.getMetricsAsJSON() as unknown as Promise<readonly MetricObjectWithValues<Value>[]>;
    },
  };
};
