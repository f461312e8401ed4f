// The tools that change objects differ in what they plan; applying, verifying and undoing are the same for all.

import type { z } from 'zod';
import { type ChangeArguments, type ChangeDefinition, change } from '../../../kit/change.ts';
import type { CallContext } from '../../../kit/context.ts';
import { type Kubernetes, openCluster } from '../../../upstream/kubernetes/kubernetes.ts';
import { applySteps, type StepsPlan, type StepsState, type Undo, verifySteps } from './steps.ts';
import { planUndo } from './undo.ts';
import type { Work } from './update.ts';

type Shape = z.core.$ZodLooseShape;

export interface StepsDefinition<Input extends Shape>
  extends Omit<ChangeDefinition<Kubernetes, Input, StepsState, Undo>, 'destructive' | 'task' | 'plan' | 'apply' | 'verify' | 'undo'> {
  plan(args: ChangeArguments<Input>, work: Work, pin: unknown): Promise<StepsPlan>;
}

export const changeObjects = <Input extends Shape>({ plan, ...definition }: StepsDefinition<Input>) =>
  change<Kubernetes, Input, StepsState, Undo>({
    ...definition,
    task: true,
    plan: async (args, service, ctx, pin) => {
      const { client, cluster } = await openCluster(service, args.cluster, ctx);
      return plan(args, { service, client, cluster, ctx }, pin);
    },
    apply: (planned, _: Kubernetes, ctx: CallContext, waitMs) => applySteps(planned, waitMs, ctx),
    verify: (planned, _applied, waitMs, _service, ctx) => verifySteps(planned, waitMs, ctx),
    undo: planUndo,
  });
