// How changes name objects.

import { type ResourceRef, resourceName } from '../../../upstream/kubernetes/resources.ts';

/** One object of one cluster. */
export interface ObjectPlace {
  readonly cluster: string;
  readonly resource: ResourceRef;
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** `k8s://prod/shop/deployments.apps/web`; `_` for objects without a namespace: the resource of the same URI shows it. */
export const toRef = ({ cluster, resource, namespace, name }: ObjectPlace): string =>
  `k8s://${cluster}/${resource.namespaced ? (namespace ?? '') : '_'}/${resourceName(resource)}/${name}`;

/** `Deployment shop/web`. */
export const toTitle = ({ resource, namespace, name }: ObjectPlace): string =>
  `${resource.kind} ${resource.namespaced && namespace !== undefined ? `${namespace}/` : ''}${name}`;
