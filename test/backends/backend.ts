/** What a backend of the test bed is: one module that can build, start, stop and describe one kind of real server. */
import type { Run } from './run.ts';

/** A value that JSON can carry; what backends tell about themselves is written to files and printed. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

export interface BackendOptions {
  /** A version as the user wrote it (`1.37.2`, or `1.34` for the newest patch); absent: the backend's own default. */
  readonly version?: string;
  /** Start the backend's metrics companion too (metrics-server). */
  readonly metrics?: boolean;
}

export interface BackendStatus {
  readonly running: boolean;
  /** Processes of the backend that should run and do not. */
  readonly dead: readonly string[];
}

export interface Backend {
  readonly name: string;
  /** One line for `help`. */
  readonly about: string;
  /** True if it needs namespaces of its own (network, processes, mounts), and so root. */
  readonly needsRoom: boolean;
  /** A backend whose version this one takes, unless told otherwise. */
  readonly versionLike?: string;
  /** Makes every program the backend needs; what is already there is left alone. */
  build(options: BackendOptions): Promise<void>;
  /** Starts the backend inside `run` and gives the facts that tests need (addresses, files); they are written to `run.facts(name)`. */
  up(run: Run, options: BackendOptions): Promise<{ [key: string]: Json }>;
  /** Called after all processes of the run have ended: removes what does not vanish with them and with the run's folder. */
  down(run: Run): Promise<void>;
  status(run: Run): Promise<BackendStatus>;
}
