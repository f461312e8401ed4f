// platform_undo_change: the recorded inverse of a change, planned and applied like any other.

import { z } from 'zod';
import { type ChangeRecord, change, type Inverse } from '../../../kit/change.ts';
import type { CallContext } from '../../../kit/context.ts';
import { AppError } from '../../../kit/errors.ts';

const input = z.object({
  changeId: z.string().min(1).max(64).describe('The changeId of an applied answer; of this caller, within changes.keepHours.'),
});

const findChange = async (changeId: string, ctx: CallContext): Promise<ChangeRecord> => {
  const record = await ctx.changes?.find(changeId, ctx);
  if (record === undefined)
    throw new AppError('NOT_FOUND', 'There is no such change of yours, or it is too old to be undone.', { details: { ref: changeId } });
  if (record.undo !== undefined) return record;
  throw new AppError('FAILED_PRECONDITION', `This change cannot be undone: ${record.summary}`, {
    details: { reason: 'NOT_UNDOABLE', tool: record.tool },
  });
};

/** An undo is a change of the tool that it takes back, so that it can be taken back in turn. */
interface UndoOfUndo {
  readonly tool: string;
  readonly undo: unknown;
}

interface State {
  readonly record: ChangeRecord;
  readonly inverse: Inverse;
}

const toRecord = (record: ChangeRecord): ChangeRecord => {
  if (record.tool !== 'platform_undo_change') return record;
  const { tool, undo } = record.undo as UndoOfUndo;
  return { ...record, tool, undo };
};

const toPlan = async (record: ChangeRecord, ctx: CallContext) => {
  if (ctx.changes === undefined) throw new AppError('UNSUPPORTED', 'Changes are not offered here.');
  const inverse = await ctx.changes.inverse(record, ctx);
  return { ...inverse.plan, summary: `Undo "${record.summary}": ${inverse.plan.summary}`, state: { record, inverse } satisfies State };
};

export default [
  change({
    name: 'platform_undo_change',
    title: 'Undo change',
    description: 'Reverts a change made through this server. The changeId comes from the applied answer.',
    effect: 'write',
    idempotent: true,
    task: true,
    input,
    plan: async ({ changeId }, _: undefined, ctx) => toPlan(toRecord(await findChange(changeId, ctx)), ctx),
    apply: async ({ state: { record, inverse } }, _client, _ctx, waitMs) => {
      const { undo, ...applied } = await inverse.apply(waitMs);
      return { ...applied, ...(undo === undefined ? {} : { undo: { tool: record.tool, undo } satisfies UndoOfUndo }) };
    },
    verify: ({ state: { inverse } }, { undo, ...applied }, waitMs) => inverse.verify({ ...applied, undo: undo?.undo }, waitMs),
  }),
];
