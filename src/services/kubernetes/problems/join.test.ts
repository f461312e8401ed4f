import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinProblems } from './join.ts';
import { type Problem, refKey, refText } from './problem.ts';

const problem = (name: string, more: Partial<Problem> = {}): Problem => ({
  severity: 'warning',
  ref: { kind: 'deployment', name, namespace: 'shop' },
  reason: 'Reason',
  detail: `${name} is sick`,
  at: { of: { kind: 'deployment', name, namespace: 'shop' }, field: 'spec.replicas', value: '1' },
  ...more,
});
const service = (name: string, because: string): Problem =>
  problem(name, { ref: { kind: 'service', name, namespace: 'shop' }, isSymptom: true, because: [problem(because).ref] });

describe('one fault is one problem', () => {
  it('makes symptoms of the same object evidence of its cause', () => {
    const [joined, ...rest] = joinProblems([
      problem('web', { isSymptom: true, severity: 'critical', detail: 'rollout stuck' }),
      problem('web'),
    ]);
    expect(rest).toEqual([]);
    expect(joined).toMatchObject({ severity: 'critical', detail: 'web is sick', evidence: ['rollout stuck'] });
  });

  it('keeps two causes of one object apart', () => {
    expect(joinProblems([problem('web'), problem('web', { reason: 'Other', detail: 'x' })])).toHaveLength(2);
  });

  it('lets the worst symptom speak where there is no cause', () => {
    const [joined] = joinProblems([
      problem('web', { isSymptom: true, detail: 'a' }),
      problem('web', { isSymptom: true, severity: 'critical', detail: 'b' }),
    ]);
    expect(joined).toMatchObject({ detail: 'b', evidence: ['a'] });
  });

  it('follows a chain to its root', () => {
    const ingress = problem('front', { ref: { kind: 'ingress', name: 'front', namespace: 'shop' }, because: [service('web', 'web').ref] });
    const [joined, ...rest] = joinProblems([ingress, service('web', 'web'), problem('web')]);
    expect(rest).toEqual([]);
    expect(joined?.evidence).toEqual(['ingress/front: front is sick', 'service/web: web is sick']);
    expect(joined?.involves?.map(refText)).toEqual(['ingress/front', 'service/web']);
  });

  it('keeps a symptom whose cause was not found', () => {
    expect(joinProblems([service('web', 'web')])).toHaveLength(1);
  });

  it('ranks by severity, then the newest first', () => {
    const found = [
      problem('a', { since: 1 }),
      problem('b', { since: 2 }),
      problem('c', { severity: 'info' }),
      problem('d', { severity: 'critical' }),
    ];
    expect(joinProblems(found).map(({ ref }) => ref.name)).toEqual(['d', 'b', 'a', 'c']);
  });

  it('loses no object, whatever points at whatever', () => {
    const arbitrary = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd'),
      because: fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 2 }),
      isSymptom: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(arbitrary, { maxLength: 8 }), (given) => {
        const found = given.map(({ name, because, isSymptom }) =>
          problem(name, { isSymptom, because: because.map((other) => problem(other).ref) }),
        );
        const seen = new Set(joinProblems(found).flatMap(({ ref, involves = [] }) => [ref, ...involves].map(refKey)));
        expect([...seen].sort()).toEqual([...new Set(found.map(({ ref }) => refKey(ref)))].sort());
      }),
    );
  });
});
