// For tests: reads the text format of Prometheus strictly; whatever it does not know is an error.

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(,|$)/gy;

const parseLabels = (text: string): Record<string, string> => {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const found = LABEL.exec(text);
    if (found === null) throw new Error(`labels: ${text}`);
    labels[found[1] ?? ''] = (found[2] ?? '').replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
  }
  return labels;
};

const toNumber = (text: string): number => {
  if (text === '+Inf' || text === 'Inf') return Number.POSITIVE_INFINITY;
  if (text === 'Nan' || text === 'NaN') return Number.NaN;
  const value = Number(text);
  if (Number.isNaN(value)) throw new Error(`value: ${text}`);
  return value;
};

export class Scrape {
  readonly samples: readonly Sample[];
  readonly types: ReadonlyMap<string, string>;

  constructor(text: string) {
    const types = new Map<string, string>();
    const samples: Sample[] = [];
    for (const line of text.split('\n')) {
      if (line === '' || line.startsWith('# HELP ')) continue;
      const [, typed, type] = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/.exec(line) ?? [];
      if (typed !== undefined && type !== undefined) {
        if (types.has(typed)) throw new Error(`TYPE twice: ${typed}`);
        types.set(typed, type);
        continue;
      }
      const [, name, labels, value] = SAMPLE.exec(line) ?? [];
      if (name === undefined || value === undefined) throw new Error(`line: ${line}`);
      samples.push({ name, labels: parseLabels(labels ?? ''), value: toNumber(value) });
    }
    this.samples = samples;
    this.types = types;
  }

  /** All series of a name that have these labels. */
  all(name: string, labels: Readonly<Record<string, string>> = {}): readonly Sample[] {
    return this.samples.filter(
      (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    );
  }

  /** The sum of all series of a name that have these labels; 0 when there is none. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.all(name, labels).reduce((sum, { value }) => sum + value, 0);
  }
}

export const scrape = async (url: string, headers: Readonly<Record<string, string>> = {}): Promise<Scrape> =>
  new Scrape(await (await fetch(url, { headers })).text());
