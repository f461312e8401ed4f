// A creation: planned by a dry run of the server, told as one whole object.

import type { FieldChange } from '../../../kit/change.ts';
import { type KubeObject, kindOf, listAt, textAt, valueAt } from '../../../upstream/kubernetes/objects.ts';
import { toSafe } from '../../../upstream/kubernetes/present.ts';
import type { ResourceRef } from '../../../upstream/kubernetes/resources.ts';
import type { Written } from '../../../upstream/kubernetes/writes.ts';
import { consequencesOf } from './consequences.ts';
import { diffObjects, putAt, type Segment } from './difference.ts';
import { toIntent } from './intent.ts';
import { learnObject } from './learn.ts';
import { toRef, toTitle } from './refs.ts';
import type { Step } from './steps.ts';
import { toPlain, type Work } from './update.ts';
import { verifyCreation } from './verify.ts';

export interface CreateOptions {
  readonly resource: ResourceRef;
  readonly namespace: string | undefined;
  readonly name: string;
  /** As it is sent: told where no dry run is possible. */
  readonly object: KubeObject;
  /** False: what it needs is not there yet, so it cannot be tried. */
  readonly canTry?: boolean;
  readonly write: (options: { dryRun: boolean; signal: AbortSignal }) => Promise<Written>;
}

export interface PlannedCreation {
  readonly step: Step;
  readonly diff: readonly FieldChange[];
  readonly warnings: readonly string[];
}

/** What the server makes up anew each time (addresses, ports, identities) cannot be foretold. */
const GENERATED = '(set by the server)';

/** A dry run gives every Service the same address, and no port of nodes that would be its own. */
const ALLOCATED = ['clusterIP', 'clusterIPs', 'healthCheckNodePort'];

const allocatedPaths = (wish: KubeObject, after: KubeObject): (readonly Segment[])[] => {
  if (kindOf(after) !== 'Service' || textAt(after, 'spec', 'clusterIP') === 'None') return [];
  const ports = listAt(after, 'spec', 'ports').flatMap((port, index) =>
    port['nodePort'] === undefined || listAt(wish, 'spec', 'ports')[index]?.['nodePort'] !== undefined
      ? []
      : [['spec', 'ports', index, 'nodePort'] as const],
  );
  const own = ALLOCATED.filter((key) => valueAt(after, 'spec', key) !== undefined && valueAt(wish, 'spec', key) === undefined);
  return [...own.map((key) => ['spec', key]), ...ports];
};

const markGenerated = (wish: KubeObject, one: KubeObject, two: KubeObject): KubeObject => {
  const marked = structuredClone(one) as Record<string, unknown>;
  const paths = [...diffObjects(one, two).map(({ path }) => path), ...allocatedPaths(wish, one)];
  for (const path of paths) putAt(marked, path, GENERATED);
  return marked;
};

/** Tried twice: what differs is generated. */
const tryTwice = async (
  { write, object }: CreateOptions,
  signal: AbortSignal,
): Promise<{ after: KubeObject; warnings: readonly string[] }> => {
  const first = await write({ dryRun: true, signal });
  const second = await write({ dryRun: true, signal });
  return { after: markGenerated(object, toIntent(first.object), toIntent(second.object)), warnings: first.warnings };
};

/** Asks the server for the outcome; nothing changes. */
export const planCreation = async ({ service, client, cluster, ctx }: Work, options: CreateOptions): Promise<PlannedCreation> => {
  const { resource, namespace, name } = options;
  learnObject(options.object, service);
  const tried = options.canTry === false ? { after: options.object, warnings: [] } : await tryTwice(options, ctx.signal);
  const place = { cluster, resource, namespace, name };
  const ref = toRef(place);
  const after = { ...tried.after, kind: resource.kind };
  return {
    diff: [{ ref, path: '', after: toIntent(toSafe(tried.after, service)) }],
    warnings: [...tried.warnings, ...consequencesOf(after, diffObjects({ metadata: {} }, toIntent(after)))],
    step: {
      place,
      title: toTitle(place),
      target: { ref, operation: 'create', guard: 'absent' },
      run: async ({ signal }) => {
        const written = await options.write({ dryRun: false, signal });
        return {
          object: written.object,
          undo: { operation: 'create', resource: toPlain(resource), namespace, name },
          warnings: written.warnings,
        };
      },
      verify: (_, waitMs, at) => verifyCreation({ client, place }, waitMs, at),
    },
  };
};
