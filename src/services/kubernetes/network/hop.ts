// One step of the way that traffic takes, and what all steps say together.

export type Result = 'ok' | 'fail' | 'unknown';

export interface Hop {
  readonly hop: string;
  /** `service/web`, `networkpolicy/default-deny`. */
  readonly ref?: string | undefined;
  readonly result: Result;
  readonly detail: string;
  /** What would mend it. */
  readonly fix?: string | undefined;
}

export type Verdict = 'reachable' | 'blocked' | 'unknown';

/** A hop that cannot work decides; else one that cannot be decided from objects. */
export const toVerdict = (hops: readonly Hop[]): Verdict => {
  if (hops.some(({ result }) => result === 'fail')) return 'blocked';
  return hops.some(({ result }) => result === 'unknown') ? 'unknown' : 'reachable';
};
