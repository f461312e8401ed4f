// helm_rollback_release: back to an earlier revision; also frees a release that an interrupted operation left pending.

import { z } from 'zod';
import { change } from '../../../kit/change.ts';
import { applyState, verifyState } from '../change/apply.ts';
import { planRollback } from '../change/rollback.ts';
import { clusterOf, type HelmState, type HelmUndo } from '../change/state.ts';
import { HELM_BINARY } from '../find.ts';
import type { Helm } from '../helm.ts';

const input = z.object({
  name: z.string().min(1).max(253).describe('Release name.'),
  namespace: z.string().min(1).max(253).describe('Namespace of the release.'),
  revision: z.int().min(1).optional().describe('Absent = the last that was deployed before the current one.'),
});

export default [
  change<Helm, typeof input.shape, HelmState, HelmUndo>({
    name: 'helm_rollback_release',
    title: 'Roll back release',
    description: 'Rolls a release back to an earlier revision.',
    effect: 'write',
    needs: HELM_BINARY,
    task: true,
    input,
    plan: (args, helm, ctx) => planRollback({ ...args, cluster: clusterOf(args) }, helm, ctx),
    apply: applyState,
    verify: (plan, _, wait, helm, ctx) => verifyState(plan, wait, helm, ctx),
    undo: (undo, helm, ctx) => planRollback(undo, helm, ctx),
  }),
];
