// What follows a request through every wait without being passed by hand: its ids and who asks. Logs, spans and backend requests read it.

import { AsyncLocalStorage } from 'node:async_hooks';
import type { Target } from './permit.ts';

export interface Ambient {
  readonly requestId?: string;
  /** 32 hexadecimal digits. */
  readonly traceId?: string;
  /** 16 hexadecimal digits: the span that is open. */
  readonly spanId?: string;
  /** W3C flags, two hexadecimal digits; `01` = sampled. */
  readonly traceFlags?: string;
  /** Passed on to backends as it came. */
  readonly traceState?: string;
  /** Id of the verified caller. */
  readonly principal?: string;
  /** Of the tool call: throws FORBIDDEN. Services ask through `requirePermit`. */
  readonly permit?: (target: Target) => void;
}

const storage = new AsyncLocalStorage<Ambient>();

/** Of the request that runs here; empty outside of one. */
export const getAmbient = (): Ambient => storage.getStore() ?? {};

/** Runs work with these fields added to those around it. */
export const withAmbient = <Result>(fields: Ambient, work: () => Result): Result => storage.run({ ...storage.getStore(), ...fields }, work);
