// Variables that look like ours and are none: a typing error must not pass in silence.

import { nearestNames } from '../kit/nearest.ts';
import type { ConfigKey } from './keys.ts';
import type { Environment } from './sources.ts';

const PREFIX = 'MCP_';
const PER_ENTRY = '<SERVICE>';
/** Read by the commands: the configuration file itself. */
const OWN = ['MCP_CONFIG'];
/** Kubernetes and Docker put these into every container beside a Service that is called mcp or mcp-*. */
const SERVICE_LINK = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)$/;
const MOST_TOLD = 20;

interface Known {
  readonly names: ReadonlySet<string>;
  /** Of variables with one name per service. */
  readonly prefixes: readonly string[];
}

const toKnown = (keys: readonly ConfigKey[]): Known => {
  const all = keys.flatMap(({ env, aliases = [], secret }) =>
    env === undefined ? [] : [env, ...aliases, ...(secret ? [`${env}_FILE`] : [])],
  );
  return {
    names: new Set([...OWN, ...all.filter((name) => !name.endsWith(PER_ENTRY))]),
    prefixes: all.filter((name) => name.endsWith(PER_ENTRY)).map((name) => name.slice(0, -PER_ENTRY.length)),
  };
};

/**
 * One warning per variable that begins with MCP_ and that nothing reads.
 * @param text the configuration file: what it names as `${NAME}` is read
 * @param isAbsent tells variables of services that are not here: they have a warning of their own
 */
export const warnOfUnknown = (
  keys: readonly ConfigKey[],
  env: Environment,
  { text, isAbsent }: { readonly text: string; readonly isAbsent: (variable: string) => boolean },
): string[] => {
  const { names, prefixes } = toKnown(keys);
  const isKnown = (name: string): boolean =>
    names.has(name) ||
    prefixes.some((prefix) => name.startsWith(prefix) && name.length > prefix.length) ||
    SERVICE_LINK.test(name) ||
    text.includes(`\${${name}}`) ||
    isAbsent(name);
  const unknown = Object.keys(env).filter((name) => name.startsWith(PREFIX) && (env[name] ?? '') !== '' && !isKnown(name));
  const candidates = [...names].filter((name) => name.startsWith(PREFIX));
  return unknown.slice(0, MOST_TOLD).map((name) => {
    const [nearest] = nearestNames(
      name.slice(PREFIX.length),
      candidates.map((one) => one.slice(PREFIX.length)),
      1,
    );
    const hint = nearest === undefined ? '' : ` Did you mean ${PREFIX}${nearest}?`;
    return `The variable ${name.slice(0, 100)} is read by nothing.${hint}`;
  });
};
