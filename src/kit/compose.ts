// The step engine of both pipelines: first in, last out.

/** One step: it may act before and after `next`, answer without it, or throw. */
export type Step<Context, Result> = (context: Context, next: (context: Context) => Promise<Result>) => Promise<Result>;

/** Folds an ordered list of steps around a last action. Built once, called per request. */
export const compose = <Context, Result>(
  steps: readonly Step<Context, Result>[],
  last: (context: Context) => Promise<Result>,
): ((context: Context) => Promise<Result>) =>
  steps.reduceRight<(context: Context) => Promise<Result>>((next, step) => (context) => step(context, next), last);
