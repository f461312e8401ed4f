// A change is planned, shown, applied once, verified: the contract that every write tool inherits.

import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppError } from '../../src/kit/errors.ts';
import { backend, resetNotes } from '../support/notes-service.ts';
import { openApp, type Shop } from '../support/shop.ts';

const PLUGIN = fileURLToPath(new URL('../support/notes-service.ts', import.meta.url));

let server: Omit<Shop, 'embedded'>;
beforeEach(async () => {
  resetNotes();
  server = await openApp({ plugins: [PLUGIN], 'security.allowWrites': true });
});
afterEach(() => server.close());

const change = (args: Readonly<Record<string, unknown>>) =>
  server.call('notes_set_text', { id: 'first', text: 'goodbye', ...args }).then(({ structured }) => structured);
const failure = (args: Readonly<Record<string, unknown>>): Promise<AppError> =>
  change(args).then(
    () => Promise.reject(new Error('no failure')),
    (error: AppError) => error,
  );

describe('a change', () => {
  it('plans first and changes nothing', async () => {
    const plan = await change({});
    expect(plan).toMatchObject({
      phase: 'plan',
      effect: 'write',
      approval: 'call',
      summary: 'Set the text of note first',
      targets: [{ ref: 'note://first', operation: 'update', version: '1' }],
      diff: [{ ref: 'note://first', path: 'text', before: 'hello', after: 'goodbye' }],
      verify: 'the note has the new text',
      undo: { possible: true },
    });
    expect(plan['plan']).toMatch(/^pl_/);
    expect(backend.writes).toBe(0);
  });

  it('applies exactly the plan, verifies it, and tells how to take it back', async () => {
    const { plan } = await change({});
    const applied = await change({ apply: plan });
    expect(applied).toMatchObject({ phase: 'applied', verification: { result: 'pass' }, undo: { tool: 'platform_undo_change' } });
    expect(applied['changeId']).toMatch(/^ch_/);
    expect(backend.notes.get('first')).toEqual({ text: 'goodbye', version: 2 });
  });

  it('executes a token once: sent again it answers the recorded result', async () => {
    const { plan } = await change({});
    const [one, two] = await Promise.all([change({ apply: plan }), change({ apply: plan })]);
    expect(two).toEqual(one);
    expect(backend.writes).toBe(1);
  });

  it('answers CONFLICT with the new diff and a new token when the target changed meanwhile', async () => {
    const { plan } = await change({});
    backend.notes.set('first', { text: 'changed by another', version: 7 });
    const error = await failure({ apply: plan });
    expect(error).toMatchObject({ code: 'CONFLICT', details: { diff: [{ before: 'changed by another', after: 'goodbye' }] } });
    expect(backend.writes).toBe(0);
    expect(await change({ apply: error.details['plan'] })).toMatchObject({ phase: 'applied' });
  });

  it('refuses other arguments, an altered token and a made-up one', async () => {
    const { plan } = await change({});
    expect(await failure({ apply: plan, text: 'something else' })).toMatchObject({
      code: 'FAILED_PRECONDITION',
      details: { reason: 'PLAN_MISMATCH' },
    });
    expect(await failure({ apply: `${String(plan).slice(0, -3)}AAA` })).toMatchObject({ details: { reason: 'PLAN_INVALID' } });
    expect(await failure({ apply: 'yes' })).toMatchObject({ details: { reason: 'PLAN_INVALID' } });
    expect(backend.writes).toBe(0);
  });

  it('refuses a plan that is too old', async () => {
    let time = Date.now();
    const aging = await openApp({ plugins: [PLUGIN], 'security.allowWrites': true }, () => time);
    const args = { id: 'first', text: 'late' };
    const { plan } = (await aging.call('notes_set_text', args)).structured;
    time += 10 * 60_000 + 1000;
    const error = await aging.call('notes_set_text', { ...args, apply: plan }).catch((thrown: AppError) => thrown);
    expect(error).toMatchObject({ code: 'FAILED_PRECONDITION', details: { reason: 'PLAN_EXPIRED' } });
    expect(backend.writes).toBe(0);
    await aging.close();
  });

  it('gives no token when a check fails, and says which', async () => {
    const plan = await change({ text: 'x'.repeat(200) });
    expect(plan['plan']).toBeUndefined();
    expect(plan['checks']).toMatchObject([{ name: 'length', result: 'fail' }]);
  });

  it('is not even listed without the switch, and says which switch', async () => {
    const reader = await openApp({ plugins: [PLUGIN] });
    expect(reader.app.surface(['all']).tables.tools.items.map(({ name }) => name)).not.toContain('notes_set_text');
    const error = await reader.call('notes_set_text', { id: 'first', text: 'x' }).catch((thrown: AppError) => thrown);
    expect(error).toMatchObject({ code: 'FORBIDDEN', message: expect.stringContaining('security.allowWrites') });
    await reader.close();
  });

  it('asks for a person where the policy wants one, and refuses when nobody can be asked', async () => {
    const asking = await openApp({ plugins: [PLUGIN], 'security.allowWrites': true, 'security.approval.write': 'elicit' });
    const error = await asking.call('notes_set_text', { id: 'first', text: 'x' }).catch((thrown: AppError) => thrown);
    expect(error).toMatchObject({ code: 'APPROVAL_REQUIRED' });
    await asking.close();
    const denying = await openApp({ plugins: [PLUGIN], 'security.allowWrites': true, 'security.approval.write': 'deny' });
    expect(await denying.call('notes_set_text', { id: 'first', text: 'x' }).catch((thrown: AppError) => thrown)).toMatchObject({
      code: 'FORBIDDEN',
    });
    await denying.close();
    expect(backend.writes).toBe(0);
  });
});
