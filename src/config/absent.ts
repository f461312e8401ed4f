// What a configuration of the earlier edition may hold that has no effect here: told in one warning each, so that the file keeps working.

import { deleteAt, getAt, type Shape } from './keys.ts';

/** Service -> how its environment variables begin. Services of that edition that this version does not have. */
const LATER: Readonly<Record<string, readonly string[]>> = {
  helm: ['MCP_HELM_'],
  grafana: ['MCP_GRAFANA_'],
  prometheus: ['MCP_PROM_'],
  kibana: ['MCP_KIBANA_'],
  elasticsearch: ['MCP_ELASTICSEARCH_'],
  alertmanager: ['MCP_ALERTMANAGER_'],
  jaeger: ['MCP_JAEGER_'],
  opentelemetry: ['MCP_OPENTELEMETRY_'],
  utilities: ['MCP_UTILITIES_', 'MCP_WEB_FETCH_'],
};
/** Services that are not part of this product. */
const FOREIGN = ['loki', 'argocd', 'nacos', 'langfuse', 'sentry', 'dify'];

/** Keys that are accepted without effect, and why. */
export const DROPPED: Readonly<Record<string, string>> = {
  'performance.worker_threads': 'it set up the Go runtime',
  'performance.buffer_size': 'it set up the Go runtime',
  'helm.useMirrors': 'configure the mirror as a repository instead',
  'helm.mirrors': 'configure the mirror as a repository instead',
};

/** Why a service has no effect here; undefined = it is none of the earlier edition, or it is here. */
export const whyAbsent = (service: string, present: Iterable<string>): string | undefined => {
  if ([...present].includes(service)) return undefined;
  if (Object.hasOwn(LATER, service)) return 'is not part of this version yet';
  return FOREIGN.includes(service) ? 'belongs to a service that is not part of this product' : undefined;
};

/** Services that lists and routes may name, though they are not here. */
export const absentServices = (present: readonly string[]): string[] =>
  [...Object.keys(LATER), ...FOREIGN].filter((name) => !present.includes(name));

const toPrefixes = (service: string): readonly string[] => LATER[service] ?? [`MCP_${service.toUpperCase()}_`];

/** Whether a variable belongs to a service that is not here. */
export const isAbsentVariable = (present: Iterable<string>): ((variable: string) => boolean) => {
  const prefixes = absentServices([...present]).flatMap(toPrefixes);
  return (variable) => prefixes.some((prefix) => variable.startsWith(prefix));
};

/** Takes out of the tree what has no effect. Returns one warning each. */
export const dropAbsent = (tree: Record<string, unknown>, shape: Shape, env: Readonly<Record<string, string | undefined>>): string[] => {
  const warnings: string[] = [];
  const variables = Object.keys(env).filter((name) => name.startsWith('MCP_'));
  for (const service of absentServices(Object.keys(shape))) {
    const why = whyAbsent(service, []) ?? '';
    const own = variables.filter((name) => toPrefixes(service).some((prefix) => name.startsWith(prefix)));
    if (Object.hasOwn(tree, service)) warnings.push(`The section ${service} ${why}; it has no effect.`);
    else if (own.length > 0) warnings.push(`The variable ${own[0]} ${why}; it has no effect.`);
    delete tree[service];
  }
  for (const [key, why] of Object.entries(DROPPED)) {
    if (getAt(tree, key) === undefined) continue;
    deleteAt(tree, key);
    warnings.push(`The key ${key} has no effect any more: ${why}.`);
  }
  return warnings;
};
