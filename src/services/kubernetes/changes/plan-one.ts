// A plan whose whole change is an update of one object: what patches and most daily verbs make.

import type { Check } from '../../../kit/change.ts';
import { readImpact } from './impact.ts';
import type { StepsPlan } from './steps.ts';
import { type PlannedUpdate, toOwners, type Work } from './update.ts';

export interface OneUpdate {
  readonly planned: PlannedUpdate;
  /** `Scale Deployment shop/web from 2 to 3`. */
  readonly summary: string;
  /** `Deployment shop/web scaled from 2 to 3`. */
  readonly done: string;
  readonly verify: string;
  /** What undo does, in words. */
  readonly how: string;
  readonly pin?: unknown;
  readonly checks?: readonly Check[];
  readonly warnings?: readonly string[];
  readonly impact?: Readonly<Record<string, unknown>>;
}

const DRY_RUN: Check = { name: 'server dry run', result: 'pass' };

export const toPlan = async (work: Work, one: OneUpdate): Promise<StepsPlan> => {
  const { client, cluster } = work;
  const { step, before, after, changes, diff, warnings, isLast } = one.planned;
  const { resource, namespace } = step.place;
  const isUnchanged = changes.length === 0;
  const impact = await readImpact(work, { before, after, changes });
  const owners = toOwners(before, changes);
  return {
    summary: isUnchanged ? `${one.summary}: it is so already, nothing will change` : one.summary,
    scope: { cluster, ...(resource.namespaced && namespace !== undefined ? { namespace } : {}) },
    targets: [step.target],
    diff,
    impact: { ...impact.facts, ...one.impact, ...(Object.keys(owners).length > 0 ? { fieldOwners: owners } : {}) },
    checks: [DRY_RUN, ...(one.checks ?? [])],
    warnings: [...warnings, ...impact.warnings, ...(one.warnings ?? [])],
    verify: isLast ? 'the object is gone' : one.verify,
    undo: isLast
      ? { possible: false, how: 'the object goes with this' }
      : { possible: !isUnchanged, how: isUnchanged ? 'nothing changes' : one.how },
    ...(one.pin === undefined ? {} : { pin: one.pin }),
    state: { client, cluster, steps: [step], results: [], summary: isUnchanged ? `${step.title} was so already` : one.done },
  };
};
