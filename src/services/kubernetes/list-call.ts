// One list call as its views see it.

import type { CallContext } from '../../kit/context.ts';
import type { Matcher } from '../../kit/match.ts';
import type { KubernetesClient } from '../../upstream/kubernetes/client.ts';
import type { ApiResource } from '../../upstream/kubernetes/discovery.ts';
import type { Kubernetes } from '../../upstream/kubernetes/kubernetes.ts';
import { resourceName } from '../../upstream/kubernetes/resources.ts';

export interface ListCall {
  readonly client: KubernetesClient;
  readonly cluster: string;
  readonly service: Kubernetes;
  readonly ctx: CallContext;
  readonly resource: ApiResource;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly matches: Matcher | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly view: 'table' | 'names' | 'count' | 'images' | 'full';
  readonly fields?: readonly string[] | undefined;
  readonly groupBy?: string | undefined;
  readonly sortBy?: string | undefined;
  readonly limit: number;
}

/** The selectors and the scope, as the client takes them. */
export const toQuery = ({ namespace, labelSelector, fieldSelector, resource, ctx }: ListCall) => ({
  signal: ctx.signal,
  namespace: resource.namespaced ? namespace : undefined,
  labelSelector,
  fieldSelector,
});

/** What every view of a list states first. */
export const toHead = ({ cluster, namespace, resource }: ListCall): Record<string, unknown> => ({
  cluster,
  ...(resource.namespaced ? { namespace: namespace ?? 'all' } : {}),
  kind: resourceName(resource),
});

/** Where a page starts: after this key. */
export const afterOf = ({ ctx }: ListCall): readonly unknown[] | undefined => {
  const state = ctx.cursor;
  return typeof state === 'object' && state !== null && 'after' in state && Array.isArray(state.after) ? state.after : undefined;
};

/** `-` first means descending. */
export const parseSort = (text: string | undefined): { key: string; direction: 1 | -1 } | undefined =>
  text === undefined || text === ''
    ? undefined
    : text.startsWith('-')
      ? { key: text.slice(1), direction: -1 }
      : { key: text, direction: 1 };

export const NARROW = 'Narrow with namespace, labelSelector or name, count with groupBy, or continue with cursor.';
