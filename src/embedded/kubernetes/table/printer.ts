// What all printers share: their type, and the formats of pkg/printers/internalversion and apimachinery's duration package.
import { type Json, type JsonObject, objectsAt, textAt, textsAt, timeAt } from '../json.ts';
import type { KubernetesObject } from '../object.ts';

export interface PrintContext {
  /** The present, in milliseconds: ages are counted from it. */
  readonly now: number;
}

export type Cell = string | number | boolean | null;

/** The cells of one row, wide columns included, in the order of the column definitions. */
export type Printer = (object: KubernetesObject, context: PrintContext) => Cell[];

/** Printers by `<plural>.<group>`. */
export type Printers = Readonly<Record<string, Printer>>;

/** Two to three significant figures, as in `5m3s` or `36h`. */
export const toHumanDuration = (milliseconds: number): string => {
  const seconds = Math.trunc(milliseconds / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return withRest(`${minutes}m`, seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return withRest(`${hours}h`, minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (hours < 192) return withRest(`${days}d`, hours % 24, 'h');
  if (hours < 17_520) return `${days}d`;
  const years = Math.trunc(days / 365);
  return hours < 70_080 ? withRest(`${years}y`, days % 365, 'd') : `${years}y`;
};

const withRest = (text: string, rest: number, unit: string): string => (rest === 0 ? text : `${text}${rest}${unit}`);

/** The age of a time, `<unknown>` when there is none. */
export const toAge = (time: number | undefined, { now }: PrintContext): string =>
  time === undefined ? '<unknown>' : toHumanDuration(now - time);

export const ageOf = (object: KubernetesObject, context: PrintContext): string =>
  toAge(timeAt(object, 'metadata', 'creationTimestamp'), context);

export const containerNames = (containers: readonly JsonObject[]): string =>
  containers.map((container) => textAt(container, 'name')).join(',');

export const containerImages = (containers: readonly JsonObject[]): string =>
  containers.map((container) => textAt(container, 'image')).join(',');

/** Labels of a template or a plain selector: sorted `key=value`, `<none>` when there are none. */
export const toLabels = (value: Json | undefined, ...path: readonly string[]): string => {
  const pairs = Object.entries(textsAt(value, ...path)).sort(([left], [right]) => (left < right ? -1 : 1));
  return pairs.map(([key, text]) => `${key}=${text}`).join(',') || '<none>';
};

/** The first three and a count of the others. */
export const toShortList = (all: readonly string[], empty: string): string => {
  if (all.length > 3) return `${all.slice(0, 3).join(',')} + ${all.length - 3} more...`;
  return all.join(',') || empty;
};

/** Names or addresses of a load balancer, cut for narrow tables only; the server always prints wide. */
export const toLoadBalancer = (status: JsonObject): string => {
  const ingress = objectsAt(status, 'loadBalancer', 'ingress');
  const all = ingress.map((item) => textAt(item, 'ip') || textAt(item, 'hostname')).filter((text) => text !== '');
  return [...new Set(all)].sort().join(',');
};

export const text = (value: Json | undefined, fallback = ''): string =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : fallback;

const MODES: readonly (readonly [string, string])[] = [
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
];

export const toAccessModes = (modes: readonly Json[]): string =>
  MODES.filter(([mode]) => modes.includes(mode))
    .map(([, short]) => short)
    .join(',');
