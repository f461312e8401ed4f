import { expect, it } from 'vitest';
import type { CallContext } from '../kit/context.ts';
import type { AppError } from '../kit/errors.ts';
import { createSealer } from '../kit/seal.ts';
import { createMemoryStore } from '../store/memory.ts';
import { createChanges } from './changes.ts';

const ctx = { caller: { id: 'apikey:ops', groups: [], scopes: ['all'] } } as unknown as CallContext;
const plan = { tool: 'notes_set_text', args: { id: 'first' } };

const open = () => {
  const inner = createMemoryStore();
  let isDown = false;
  const guarded =
    <Args extends unknown[], Result>(work: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      if (isDown) throw new Error('connection refused at 10.0.0.9');
      return work(...args);
    };
  const store = { ...inner, get: guarded(inner.get), set: guarded(inner.set), increment: guarded(inner.increment) };
  const changes = createChanges({
    ...{ store, now: Date.now, keepMs: 60_000, mask: (text: string) => text.replaceAll('canary', '***') },
    ...{ sealer: createSealer(Buffer.alloc(32, 7)), approval: { write: 'call', delete: 'call' } as const },
    inverse: () => Promise.reject(new Error('not here')),
  });
  return {
    changes,
    fail: () => {
      isDown = true;
    },
  };
};

it('does nothing while the store cannot say whether a plan was applied already, and says so', async () => {
  const { changes, fail } = open();
  const { token } = await changes.issue({ ...plan, digest: 'd' }, ctx);
  const { id } = await changes.open(token, plan, ctx);
  fail();
  let written = 0;
  const error = await changes
    .once(id, ctx, async (claim) => {
      await claim();
      written += 1;
      return { summary: 'done' };
    })
    .catch((thrown: AppError) => thrown);
  expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', message: expect.stringContaining('nothing was done') });
  expect(written).toBe(0);
});

it('answers what was done as done when the store goes away meanwhile; it only cannot be taken back', async () => {
  const { changes, fail } = open();
  const { token } = await changes.issue({ ...plan, digest: 'd' }, ctx);
  const { id } = await changes.open(token, plan, ctx);
  const apply = () =>
    changes.once(id, ctx, async (claim) => {
      await claim();
      fail();
      const { undoUntil } = await changes.record({ tool: plan.tool, summary: 'set', targets: [], undo: { text: 'old' } }, ctx);
      return { summary: undoUntil ?? 'not to be undone' };
    });
  expect(await apply()).toEqual({ summary: 'not to be undone' });
  expect(await apply()).toEqual({ summary: 'not to be undone' });
});

it('masks the facts of a record, and keeps what its inverse needs as it was', async () => {
  const { changes } = open();
  const diff = [{ ref: 'note://first', path: 'text', before: 'canary', after: { of: ['canary'] } }];
  const { changeId } = await changes.record({ tool: plan.tool, summary: 'set canary', targets: [], diff, undo: { text: 'canary' } }, ctx);
  expect(JSON.stringify(changes.recent(changeId))).not.toContain('canary');
  expect((await changes.find(changeId, ctx))?.undo).toEqual({ text: 'canary' });
});
