// Undo: a recorded change is planned backwards by the tool that made it, with the rights that this tool needs.

import { withAmbient } from '../kit/ambient.ts';
import type { ChangePort, Inverse } from '../kit/change.ts';
import { AppError } from '../kit/errors.ts';
import type { Policy } from '../policy/policy.ts';
import type { Manager } from './manager.ts';
import { refuse, toPermit } from './steps/permit.ts';

export const createInverse =
  (manager: Manager, policy: () => Policy): ChangePort['inverse'] =>
  async (record, ctx) => {
    const service = manager.ownerOf(record.tool);
    if (service === undefined)
      throw new AppError('UNSUPPORTED', `${record.tool} made this change, and its service is not configured any more.`, {
        details: { needs: record.tool },
      });
    // Every inverse is a write: what would be a deletion is only named.
    const use = { tool: record.tool, service, effect: 'write' } as const;
    // Rights may have narrowed since the change was made.
    const may = policy().mayUse(ctx.caller, use);
    if (!may.allowed) throw refuse(may, `platform_undo_change for ${record.tool}`);
    const withRights = <Result>(work: () => Promise<Result>): Promise<Result> =>
      withAmbient({ permit: toPermit(policy(), ctx.caller, use) }, work);
    const { parts } = await manager.service(service);
    const inverse = await withRights(() => parts.inverse(record.tool, record.undo, ctx));
    return {
      plan: inverse.plan,
      apply: (waitMs) => withRights(() => inverse.apply(waitMs)),
      verify: (applied, waitMs) => withRights(() => inverse.verify(applied, waitMs)),
    } satisfies Inverse;
  };
