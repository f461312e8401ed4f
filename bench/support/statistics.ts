// Medians and fair turns: every ratio is taken from samples that were measured in turn within one run.

/** The value below which `share` of the samples lie. */
export const percentile = (samples: readonly number[], share: number): number => {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
};

export const median = (samples: readonly number[]): number => percentile(samples, 0.5);

export const sum = (samples: Iterable<number>): number => [...samples].reduce((total, value) => total + value, 0);

/** How long one piece of work takes, ms. */
export const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return performance.now() - start;
};

export interface TurnOptions {
  readonly rounds: number;
  readonly warmUp?: number;
}

/** Each contestant gives one sample per round; the order rotates, so that nobody always goes first. */
export const inTurn = async <Name extends string, Sample = number>(
  contestants: Readonly<Record<Name, () => Promise<Sample>>>,
  { rounds, warmUp = 2 }: TurnOptions,
): Promise<Record<Name, Sample[]>> => {
  const names = Object.keys(contestants) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as Sample[]])) as Record<Name, Sample[]>;
  for (let round = 0; round < warmUp + rounds; round++) {
    for (let place = 0; place < names.length; place++) {
      const name = names[(place + round) % names.length] as Name;
      const sample = await contestants[name]();
      if (round >= warmUp) samples[name].push(sample);
    }
  }
  return samples;
};

/** Least-squares slope of y over x. */
export const slope = (points: readonly (readonly [number, number])[]): number => {
  const meanX = sum(points.map(([x]) => x)) / points.length;
  const meanY = sum(points.map(([, y]) => y)) / points.length;
  const above = sum(points.map(([x, y]) => (x - meanX) * (y - meanY)));
  const below = sum(points.map(([x]) => (x - meanX) ** 2));
  return above / below;
};
