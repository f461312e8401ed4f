// Selectors of workloads: two that claim the same pods, and pods that no longer belong to who should own them.

import { matchesSelector, selectorWords } from '../../../upstream/kubernetes/label-selector.ts';
import { fieldsAt, type KubeObject, mapAt, namespaceOf, numberAt } from '../../../upstream/kubernetes/objects.ts';
import { placeIn } from './place.ts';
import { lookAt } from './pods.ts';
import { type Check, groupBy, type Problem, refKey, refText, toRef } from './problem.ts';
import { isDeleted } from './snapshot.ts';

const KINDS = ['deployments', 'statefulsets', 'daemonsets'] as const;

const podLabels = (workload: KubeObject): Readonly<Record<string, string>> => mapAt(workload, 'spec', 'template', 'metadata', 'labels');

/** Does the selector of the one choose the pods of the other? */
const claims = (one: KubeObject, other: KubeObject): boolean => matchesSelector(fieldsAt(one, 'spec', 'selector'), podLabels(other));

const wantsPods = (workload: KubeObject): boolean => numberAt(workload, 'spec', 'replicas') !== 0 && !isDeleted(workload);

/** Selectors that overlap: controllers count, and autoscalers measure, the pods of another. */
const judgeNamespace = (workloads: readonly KubeObject[]): readonly Problem[] =>
  workloads.flatMap((one, index) =>
    workloads.slice(index + 1).flatMap((other): readonly Problem[] => {
      if (!claims(one, other) && !claims(other, one)) return [];
      const [wide, narrow] = claims(one, other) ? [one, other] : [other, one];
      const ref = toRef(wide);
      return [
        {
          severity: 'warning',
          ref,
          reason: 'SelectorOverlaps',
          detail: `its selector ${selectorWords(fieldsAt(wide, 'spec', 'selector'))} also chooses the pods of ${refText(toRef(narrow))}`,
          at: placeIn(wide, 'spec.selector.matchLabels'),
          involves: [toRef(narrow)],
          next: lookAt(ref, 'describe'),
        },
      ];
    }),
  );

/** Most workloads are told apart by their selectors' values alone: only those that share one are compared. */
const shared = (workloads: readonly KubeObject[]): readonly (readonly KubeObject[])[] => {
  const entries = workloads.flatMap((workload) =>
    Object.entries(podLabels(workload)).map(([key, value]) => ({ workload, key: `${key}=${value}` })),
  );
  const groups = [...groupBy(entries, ({ key }) => key).entries()];
  const chosen = groups.filter(([label, members]) =>
    members.some(({ workload }) => {
      const [first] = Object.entries(mapAt(workload, 'spec', 'selector', 'matchLabels'));
      return first !== undefined && `${first[0]}=${first[1]}` === label;
    }),
  );
  return chosen.map(([, members]) => members.map(({ workload }) => workload));
};

export const checkSelectors: Check = (cluster) => {
  const workloads = KINDS.flatMap((plural) => cluster.list(plural)).filter(wantsPods);
  const found = [...groupBy(workloads, (workload) => namespaceOf(workload) ?? '').values()].flatMap((own) =>
    shared(own).flatMap(judgeNamespace),
  );
  return [...new Map(found.map((problem) => [`${refKey(problem.ref)}/${problem.detail}`, problem])).values()];
};
