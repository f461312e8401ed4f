// Counters, gauges and histograms as plain numbers: counting costs an addition. They are turned into text or OTLP only when somebody reads them.

import { METRICS, type MetricDefinition, type MetricName } from './metrics-table.ts';

export class Counter {
  value = 0;
  inc(by = 1): void {
    this.value += by;
  }
}

export class Gauge {
  value = 0;
  set(value: number): void {
    this.value = value;
  }
  add(by: number): void {
    this.value += by;
  }
}

export class Histogram {
  readonly bounds: readonly number[];
  /** One per bound, and one for what is above all; not cumulative. */
  readonly counts: number[];
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const { bounds } = this;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at += 1;
    this.counts[at] = (this.counts[at] as number) + 1;
    this.sum += value;
    this.count += 1;
  }
}

interface Kinds {
  readonly counter: Counter;
  readonly gauge: Gauge;
  readonly histogram: Histogram;
}

type Table = typeof METRICS;
type Values<Labels extends readonly string[]> = { readonly [Index in keyof Labels]: string };
type ChildOf<Name extends MetricName> = Kinds[Table[Name]['type']];

export interface Series<Child> {
  readonly values: readonly string[];
  readonly child: Child;
}

/** All series of one metric. */
export interface Family<Name extends MetricName = MetricName> {
  readonly name: Name;
  readonly definition: MetricDefinition;
  /** The series of these label values, in the order of the table. Look it up once and keep it where calls are many. */
  labels(...values: Values<Table[Name]['labels']>): ChildOf<Name>;
  all(): Iterable<Series<ChildOf<Name>>>;
}

export type Families = { readonly [Name in MetricName]: Family<Name> };

/** A label that should be bounded and is not must not fill the memory: what comes after these is counted as `other`. */
const MAX_SERIES = 2000;
const OTHER = 'other';

const makeChild = ({ type, buckets = [] }: MetricDefinition): Counter | Gauge | Histogram => {
  if (type === 'counter') return new Counter();
  return type === 'gauge' ? new Gauge() : new Histogram(buckets);
};

const createFamily = <Name extends MetricName>(name: Name, definition: MetricDefinition): Family<Name> => {
  const series = new Map<string, Series<ChildOf<Name>>>();
  const find = (values: readonly string[]): ChildOf<Name> => {
    const key = values.join('\n');
    const known = series.get(key);
    if (known !== undefined) return known.child;
    if (series.size >= MAX_SERIES && values.some((value) => value !== OTHER)) return find(values.map(() => OTHER));
    const child = makeChild(definition) as ChildOf<Name>;
    series.set(key, { values, child });
    return child;
  };
  // Without labels there is one series, and it is there from the start.
  if (definition.labels.length === 0) find([]);
  return { name, definition, labels: (...values) => find(values), all: () => series.values() };
};

export const createFamilies = (): Families =>
  Object.fromEntries(
    Object.entries(METRICS).map(([name, definition]) => [name, createFamily(name as MetricName, definition)]),
  ) as unknown as Families;
