// Leave to reach something, asked at the one place of a service that knows what a request touches.

import { getAmbient } from './ambient.ts';

/** What one request to a backend touches. */
export interface Target {
  readonly cluster?: string | undefined;
  /** For kinds with namespaces: absent = all of them at once. */
  readonly namespace?: string | undefined;
  /** False: a kind without namespaces, to which no rule about namespaces applies. */
  readonly namespaced?: boolean;
  /** The names that the kind goes by: `pods`, `Pod`, `deployments.apps`; with a subresource also `pods/log`. */
  readonly kind?: readonly string[];
  /** The words of a command. */
  readonly command?: readonly string[];
  /** True when the request deletes the object itself. */
  readonly deletes?: boolean;
  /** True when the request alters something; dry runs count. */
  readonly change: boolean;
}

/** Throws FORBIDDEN when the policy refuses this target to the caller of the call that runs here. Outside of a call nothing is refused. */
export const requirePermit = (target: Target): void => getAmbient().permit?.(target);
