// What the benchmark consists of: rows of one table, and what measuring a row may ask for.

import type { BenchCluster } from './cluster.ts';
import type { Peers } from './peers.ts';
import type { Program } from './program.ts';

export type PeerName = 'KMS' | 'FLX';

/** One line of the table. */
export interface Row {
  readonly id: string;
  readonly what: string;
  readonly ours: string;
  /** The bar in words; none where a row only reports. */
  readonly bar?: string;
  readonly holds?: boolean;
  /** What the peers needed for the same, in words. */
  readonly peers?: Partial<Record<PeerName, string>>;
  /** The figures behind the words, for the results file. */
  readonly figures: Readonly<Record<string, number | string | readonly number[]>>;
}

/** What a measurement may use. Everything is made on first use and taken down at the end. */
export interface Scene {
  /** The built program. */
  readonly program: Program;
  /** A real API server with real pods; needs root. */
  cluster(): Promise<BenchCluster>;
  /** Only when peers are wanted. */
  readonly peers: Peers | undefined;
}

export interface Measurement {
  readonly id: string;
  measure(scene: Scene): Promise<readonly Row[]>;
}
