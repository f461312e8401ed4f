// One fault is one problem: what follows from it becomes its evidence.

import { groupBy, type Problem, type Ref, refKey, refText, type Severity } from './problem.ts';

const RANK: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, info: 2 };
const MAX_EVIDENCE = 5;

export const bySeverity = (a: Problem, b: Problem): number =>
  RANK[a.severity] - RANK[b.severity] || (b.since ?? 0) - (a.since ?? 0) || (refKey(a.ref) < refKey(b.ref) ? -1 : 1);

const worse = (a: Severity, b: Severity): Severity => (RANK[a] <= RANK[b] ? a : b);

const uniqueRefs = (refs: readonly Ref[]): readonly Ref[] => [...new Map(refs.map((ref) => [refKey(ref), ref])).values()];

/** `lead` with others as its evidence; those of another object say which. */
const absorb = (lead: Problem, others: readonly Problem[]): Problem => {
  const words = others.flatMap((other) => [
    refKey(other.ref) === refKey(lead.ref) ? other.detail : `${refText(other.ref)}: ${other.detail}`,
    ...(other.evidence ?? []),
  ]);
  return {
    ...lead,
    severity: others.reduce((severity, other) => worse(severity, other.severity), lead.severity),
    evidence: [...new Set([...(lead.evidence ?? []), ...words])].filter((word) => word !== lead.detail).slice(0, MAX_EVIDENCE),
    involves: uniqueRefs([...(lead.involves ?? []), ...others.flatMap((other) => [other.ref, ...(other.involves ?? [])])]),
    because: uniqueRefs([lead, ...others].flatMap(({ because = [] }) => because)),
    next: lead.next ?? others.find(({ next }) => next !== undefined)?.next,
  };
};

/** Symptoms go to the cause on the same object; without one the worst symptom speaks for all, an outcome only when there is no other. */
const joinObject = (found: readonly Problem[]): readonly Problem[] => {
  const sorted = found.toSorted(bySeverity);
  const symptoms = sorted
    .filter(({ isSymptom }) => isSymptom === true)
    .toSorted((a, b) => Number(a.isOutcome === true) - Number(b.isOutcome === true));
  const [first, ...causes] = sorted.filter(({ isSymptom }) => isSymptom !== true);
  if (first !== undefined) return [absorb(first, symptoms), ...causes];
  const [lead, ...rest] = symptoms;
  return lead === undefined ? [] : [absorb(lead, rest)];
};

/** What the checks found, joined and ranked: severity, then the newest first. */
export const joinProblems = (found: readonly Problem[]): readonly Problem[] => {
  const joined = [...groupBy(found, ({ ref }) => refKey(ref)).values()].flatMap(joinObject);
  const byRef = new Map(joined.toReversed().map((problem) => [refKey(problem.ref), problem]));
  const parentOf = (problem: Problem): Problem | undefined =>
    problem.because?.map((ref) => byRef.get(refKey(ref))).find((other) => other !== undefined && other !== problem);
  const rootOf = (problem: Problem): Problem => {
    const seen = new Set([problem]);
    let root = problem;
    for (let parent = parentOf(root); parent !== undefined && !seen.has(parent); parent = parentOf(root)) {
      seen.add(parent);
      root = parent;
    }
    return root;
  };
  const roots = new Map<Problem, Problem[]>(joined.map((problem) => [problem, []]));
  for (const problem of joined) {
    const root = rootOf(problem);
    if (root === problem || rootOf(root) !== root) continue;
    roots.get(root)?.push(problem);
    roots.delete(problem);
  }
  return [...roots].map(([root, others]) => (others.length === 0 ? root : absorb(root, others.toSorted(bySeverity)))).toSorted(bySeverity);
};
