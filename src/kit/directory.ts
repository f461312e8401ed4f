// The port through which a service learns about its neighbours: their state, the clusters, the caller's mode. Filled by app.ts.

import type { Effect } from './context.ts';

export type ServiceState = 'up' | 'degraded' | 'down' | 'not_configured';

/** What a health check found out about a backend. */
export interface Health {
  readonly state: Exclude<ServiceState, 'not_configured'>;
  readonly version?: string;
  readonly flavour?: string;
  /** Why it is not up; never a URL with credentials. */
  readonly reason?: string;
  /** Probed capabilities and limits, shown by `platform_status view=detail`. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface ServiceStatus {
  readonly service: string;
  readonly title: string;
  readonly state: ServiceState;
  readonly version?: string;
  readonly flavour?: string;
  readonly latencyMs?: number;
  readonly reason?: string;
  readonly retryAfter?: string;
  /** When the present state was first seen, RFC 3339. */
  readonly since?: string;
  /** The last failure, also after it has passed. */
  readonly lastError?: { readonly reason: string; readonly at: string };
  readonly details?: Readonly<Record<string, unknown>>;
}

/** One environment that `cluster` may name. */
export interface ClusterStatus {
  readonly name: string;
  readonly default?: boolean;
  /** Host and port of the API server; never a URL with credentials. */
  readonly server?: string;
  readonly version?: string;
  readonly reachable?: boolean;
  readonly reason?: string;
  readonly identity?: Readonly<Record<string, unknown>>;
  readonly services: readonly string[];
}

export interface HiddenTool {
  readonly tool: string;
  readonly why: string;
}

export interface Directory {
  readonly profile: string;
  readonly mode: Effect;
  readonly limits: Readonly<Record<string, unknown>>;
  /** Asks every service (or one) for its health at once, two seconds each. */
  status(signal: AbortSignal, service?: string): Promise<readonly ServiceStatus[]>;
  clusters(signal: AbortSignal): Promise<readonly ClusterStatus[]>;
  /** Tools that exist and are not offered to this caller, and why. */
  hidden(): readonly HiddenTool[];
  /** Policy rules that can apply to this caller, in order. */
  rules(): readonly object[];
  serviceNames(): readonly string[];
}
