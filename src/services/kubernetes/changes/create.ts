// A creation: planned by a dry run of the server, told as one whole object.

import type { FieldChange } from '../../../kit/change.ts';
import type { KubeObject } from '../../../upstream/kubernetes/objects.ts';
import { toSafe } from '../../../upstream/kubernetes/present.ts';
import type { ResourceRef } from '../../../upstream/kubernetes/resources.ts';
import type { Written } from '../../../upstream/kubernetes/writes.ts';
import { diffObjects, putAt } from './difference.ts';
import { toIntent } from './intent.ts';
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

const markGenerated = (one: KubeObject, two: KubeObject): KubeObject => {
  const marked = structuredClone(one) as Record<string, unknown>;
  for (const { path } of diffObjects(one, two)) putAt(marked, path, GENERATED);
  return marked;
};

/** Tried twice: what differs is generated. */
const tryTwice = async ({ write }: CreateOptions, signal: AbortSignal): Promise<{ after: KubeObject; warnings: readonly string[] }> => {
  const first = await write({ dryRun: true, signal });
  const second = await write({ dryRun: true, signal });
  return { after: markGenerated(toIntent(first.object), toIntent(second.object)), warnings: first.warnings };
};

/** Asks the server for the outcome; nothing changes. */
export const planCreation = async ({ service, client, cluster, ctx }: Work, options: CreateOptions): Promise<PlannedCreation> => {
  const { resource, namespace, name } = options;
  const tried = options.canTry === false ? { after: options.object, warnings: [] } : await tryTwice(options, ctx.signal);
  const place = { cluster, resource, namespace, name };
  const ref = toRef(place);
  return {
    diff: [{ ref, path: '', after: toIntent(toSafe(tried.after, service)) }],
    warnings: tried.warnings,
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
