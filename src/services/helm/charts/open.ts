// A chart that a caller names: resolved, fetched, read; its archive is what the binary gets later.

import type { Helm } from '../helm.ts';
import type { ChartArchive } from '../repositories/repositories.ts';
import { type Chart, readChart } from './chart.ts';

export interface OpenChart {
  readonly source: ChartArchive;
  readonly chart: Chart;
}

export const openChart = async (
  { repositories }: Helm,
  { chart: reference, version }: { readonly chart: string; readonly version?: string | undefined },
  signal: AbortSignal,
): Promise<OpenChart> => {
  signal.throwIfAborted();
  const source = await repositories.chart(reference, version, { signal });
  const chart = await readChart(source.archive);
  return { source, chart };
};
