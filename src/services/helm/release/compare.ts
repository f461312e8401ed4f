// Two revisions side by side: what the user set, the chart, and the objects.

import type { Kubernetes } from '../../../upstream/kubernetes/kubernetes.ts';
import type { Release } from '../storage/record.ts';
import { type Difference, diff } from './diff.ts';
import { identityOf, type Manifest, type ManifestObject } from './manifest.ts';
import { toSafeObject, toSafeValues } from './redact.ts';

export interface ReleaseChange extends Difference {
  readonly section: 'values' | 'chart' | 'manifest';
  readonly ref?: string;
}

/** Every object bears them, and they change with every version of the chart: noise beside what is meant. */
const VERSION_LABELS = /(?:^|\.)labels\["(?:helm\.sh\/chart|app\.kubernetes\.io\/version)"\]$/;

export const isVersionLabel = ({ path }: Pick<Difference, 'path'>): boolean => VERSION_LABELS.test(path);

export interface ObjectChange {
  readonly object: ManifestObject;
  readonly operation: 'create' | 'update' | 'delete';
  readonly differences: readonly Difference[];
}

/** Objects that came, went or changed. */
export const compareManifests = (before: Manifest, after: Manifest, service: Kubernetes): ObjectChange[] => {
  const old = new Map(before.objects.map((object) => [identityOf(object), object]));
  const next = new Map(after.objects.map((object) => [identityOf(object), object]));
  const changes = [...new Set([...next.keys(), ...old.keys()])].map((key): ObjectChange | undefined => {
    const [left, right] = [old.get(key), next.get(key)];
    if (right === undefined) return left === undefined ? undefined : { object: left, operation: 'delete', differences: [] };
    if (left === undefined) return { object: right, operation: 'create', differences: [] };
    const differences = diff(toSafeObject(left, service), toSafeObject(right, service));
    return differences.length === 0 ? undefined : { object: right, operation: 'update', differences };
  });
  return changes.filter((change) => change !== undefined);
};

/** A dependency list or the like says little; name and versions say most. */
const chartFacts = ({ chart }: Release): Record<string, unknown> => ({
  name: chart.name,
  version: chart.version,
  ...(chart.appVersion === undefined ? {} : { appVersion: chart.appVersion }),
  ...(chart.metadata['dependencies'] === undefined ? {} : { dependencies: chart.metadata['dependencies'] }),
});

export const compareReleases = (
  before: { release: Release; manifest: Manifest },
  after: { release: Release; manifest: Manifest },
  service: Kubernetes,
): ReleaseChange[] => {
  const values = diff(toSafeValues(before.release.values, service), toSafeValues(after.release.values, service));
  const objects = compareManifests(before.manifest, after.manifest, service);
  return [
    ...diff(chartFacts(before.release), chartFacts(after.release)).map((one) => ({ section: 'chart' as const, ...one })),
    ...values.map((one) => ({ section: 'values' as const, ...one })),
    ...objects.flatMap(({ object: { ref }, operation, differences }) =>
      operation === 'update'
        ? differences.map((one) => ({ section: 'manifest' as const, ref, ...one }))
        : [
            {
              section: 'manifest' as const,
              ref,
              path: '(whole object)',
              op: operation === 'create' ? ('add' as const) : ('remove' as const),
            },
          ],
    ),
  ];
};
