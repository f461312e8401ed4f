// From a file of the earlier edition to one of this: what became of each key. None is lost without a word.

import { z } from 'zod';
import { nearestNames } from '../kit/nearest.ts';
import { DROPPED, whyAbsent } from './absent.ts';
import { type ConfigKey, isTree, listKeys, type Shape, setAt } from './keys.ts';
import { ERRORS } from './words.ts';

export type Outcome = 'kept' | 'changed' | 'renamed' | 'waiting' | 'dropped' | 'unknown' | 'refused';

export interface Fate {
  readonly key: string;
  readonly outcome: Outcome;
  readonly why: string;
}

export interface Migration {
  /** The new configuration. */
  readonly tree: Record<string, unknown>;
  readonly fates: readonly Fate[];
}

const RENAMED: Readonly<Record<string, string>> = {
  'audit.maxResults': 'audit.query.maxResults',
  'audit.timeRange': 'audit.query.timeRange',
};

/** Keys whose meaning is another one. */
const CHANGED: Readonly<Record<string, string>> = {
  'server.mode': 'sse also serves the streamable-http and http routes; http serves plain JSON alone; stdio works again',
  'server.addr': 'an address that others reach needs auth.enabled, or security.allowUnauthenticated',
  'server.writeTimeoutSec': 'counts for answers that are no stream',
  'auth.enabled': 'required on addresses that others reach',
  'auth.apiKey': 'at least 16 characters; sample keys are refused; X-Api-Key alone, not the query string',
  'auth.jwtSecret': 'had no effect; verifies tokens now',
  'auth.jwtAlgorithm': 'had no effect; the algorithm is pinned now',
  'auth.oidcAudience': 'always checked; was skipped when empty',
  'audit.storage': 'a storage that cannot be opened stops the start',
  'audit.level': 'had no effect; info records calls, debug lists and pings too',
  'audit.database.connectionString': 'had no effect; records go to PostgreSQL now',
  'audit.alerts.method': 'had no effect; alerts are sent now',
  'audit.masking.enabled': 'in addition to redaction, which is always on',
  'audit.sampling.rate': 'successful reads only',
  'ratelimit.enabled': 'per verified caller, else per address',
  'kubernetes.kubeconfig': 'had no effect; is used now',
  'otel.enabled': 'had no effect; telemetry is sent now',
};

/** Values of this edition that differ where the file is silent. */
const SILENT: readonly (readonly [key: string, why: string])[] = [
  ['server.addr', 'is 127.0.0.1:8080, was 0.0.0.0:8080'],
  ['server.mode', 'is stdio unless an address is given, was sse'],
  ['audit.enabled', 'is true, was false'],
  ['ratelimit.enabled', 'is true with 50 requests per second, was false'],
  ['security.allowWrites', 'is false: tools that change state are off, all were on'],
  ['security.allowDestructive', 'is false: delete, drain and exec are off, all were on'],
];

const FAMILIES: Readonly<Record<string, string>> = { ssePaths: 'sse', streamableHttpPaths: 'streamable-http', httpPaths: 'http' };

const toLeaves = (tree: unknown, known: ReadonlySet<string>, prefix = ''): [string, unknown][] =>
  isTree(tree)
    ? Object.entries(tree).flatMap(([name, value]): [string, unknown][] => {
        const key = `${prefix}${name}`;
        return isTree(value) && !known.has(key) ? toLeaves(value, known, `${key}.`) : [[key, value]];
      })
    : [];

const hasVariable = (value: unknown): boolean => JSON.stringify(value).includes('${');

const judgeRoute = (key: string, value: unknown, services: readonly string[]): Omit<Fate, 'key'> | undefined => {
  const [, family, service = ''] = /^server\.(\w+Paths)\.(\w+)$/.exec(key) ?? [];
  if (family === undefined || !Object.hasOwn(FAMILIES, family)) return undefined;
  if (value === `/api/${service}/${FAMILIES[family]}`) return { outcome: 'dropped', why: 'is the default' };
  const absent = whyAbsent(service, services);
  if (absent?.includes('yet') === false) return { outcome: 'dropped', why: `${service} ${absent}` };
  return absent === undefined ? { outcome: 'kept', why: '' } : { outcome: 'waiting', why: `${service} ${absent}` };
};

const judgeValue = (key: ConfigKey, value: unknown): Omit<Fate, 'key'> => {
  const parsed = z.safeParse(key.schema, value, ERRORS);
  if (!parsed.success && !hasVariable(value))
    return { outcome: 'refused', why: `${parsed.error.issues[0]?.message ?? 'is not understood'}; mend it` };
  if (value === 0) return { outcome: 'changed', why: 'an explicit 0 is a value; it was turned back into the default' };
  const why = CHANGED[key.key];
  return why === undefined ? { outcome: 'kept', why: '' } : { outcome: 'changed', why };
};

/** Reads the tree of the file as it was written; `${NAME}` stays as it is. */
export const migrate = (source: Record<string, unknown>, shape: Shape): Migration => {
  const keys = new Map(listKeys(shape).map((key) => [key.key, key]));
  const sections = Object.keys(shape);
  const tree: Record<string, unknown> = {};
  const judge = (name: string, value: unknown): Omit<Fate, 'key'> => {
    if (value === null || value === '') return { outcome: 'dropped', why: 'empty: the same as unset' };
    const dropped = DROPPED[name];
    if (dropped !== undefined) return { outcome: 'dropped', why: dropped };
    const absent = whyAbsent(name.split('.')[0] ?? name, sections);
    if (absent?.includes('yet') === true) return { outcome: 'waiting', why: `${absent}; without effect until then` };
    if (absent !== undefined) return { outcome: 'dropped', why: absent };
    const route = judgeRoute(name, value, sections);
    if (route !== undefined) return route;
    const key = keys.get(RENAMED[name] ?? name);
    if (key !== undefined) {
      const judged = judgeValue(key, value);
      return RENAMED[name] !== undefined && judged.outcome !== 'refused' ? { outcome: 'renamed', why: `is ${RENAMED[name]} now` } : judged;
    }
    const [nearest] = nearestNames(name, keys.keys());
    return { outcome: 'unknown', why: `no such key; left out${nearest === undefined ? '' : `. Nearest: ${nearest}`}` };
  };
  // Routes are judged one by one, other mappings as a whole.
  const whole = new Set([...keys.keys()].filter((key) => !/^server\.\w+Paths$/.test(key)));
  const fates = toLeaves(source, whole).map(([key, value]): Fate => {
    const fate = { key, ...judge(key, value) };
    if (fate.outcome !== 'dropped' && fate.outcome !== 'unknown') setAt(tree, RENAMED[key] ?? key, value);
    return fate;
  });
  const named = new Set(fates.map(({ key }) => key));
  const silent = SILENT.filter(([key]) => !named.has(key)).map(
    ([key, why]): Fate => ({ key, outcome: 'changed', why: `not in the file; ${why}` }),
  );
  return { tree, fates: [...fates, ...silent] };
};
