/** The backends of the test bed, in one literal record: a new one is one module and one word here. */
import type { Backend } from './backend.ts';
import { kubernetes } from './kubernetes/index.ts';
import { kubernetesMirror } from './kubernetes/mirror.ts';
import { collector } from './observability/collector.ts';
import { prometheus } from './observability/prometheus.ts';
import { postgres } from './postgres.ts';
import { redis } from './redis.ts';

export const BACKENDS = {
  kubernetes,
  'kubernetes-mirror': kubernetesMirror,
  collector,
  prometheus,
  postgres,
  redis,
} as const satisfies Record<string, Backend>;

export type BackendName = keyof typeof BACKENDS;

/** The named backends; none named means all. */
export function chooseBackends(names: readonly string[]): Backend[] {
  if (names.length === 0) return Object.values(BACKENDS);
  return names.map((name) => backendOf(name));
}

/** Those of the named backends that exist here; another checkout may have others. */
export function chooseKnown(names: readonly string[]): Backend[] {
  return names.filter((name) => name in BACKENDS).map((name) => backendOf(name));
}

/** The backend of a name. */
export function backendOf(name: string): Backend {
  const found = Object.values<Backend>(BACKENDS).find((backend) => backend.name === name);
  if (found === undefined) throw new Error(`no backend "${name}"; there are: ${Object.keys(BACKENDS).join(', ')}`);
  return found;
}
