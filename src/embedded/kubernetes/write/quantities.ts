// Amounts in the form that the server gives them back: `1000m` becomes `1`, `0.5` becomes `500m`, `1024Mi` becomes `1Gi`.
import { isObject, type Json, type JsonObject } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { parseQuantity, toQuantity } from '../quantity.ts';

/** Maps whose values are amounts. */
const AMOUNTS = new Set([
  'limits',
  'requests',
  'hard',
  'used',
  'capacity',
  'allocatable',
  'default',
  'defaultRequest',
  'min',
  'max',
  'maxLimitRequestRatio',
]);

const canonical = (value: Json): Json => {
  if (typeof value !== 'string' && typeof value !== 'number') return value;
  const text = String(value);
  const amount = parseQuantity(text);
  // Exponents keep their form in the real server, as do amounts that cannot be read.
  if (Number.isNaN(amount) || /[eE][+-]?\d/.test(text)) return text;
  return toQuantity(amount, /[KMGTPE]i$/.test(text) ? 'binary' : 'decimal');
};

const walk = (value: Json, name: string): Json => {
  if (Array.isArray(value)) return value.map((item) => walk(item, ''));
  if (!isObject(value)) return value;
  const isAmounts = AMOUNTS.has(name);
  const copy: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) copy[key] = isAmounts && !isObject(item) && !Array.isArray(item) ? canonical(item) : walk(item, key);
  }
  return copy;
};

/** A copy with canonical amounts in specification and status; data, metadata and custom kinds are left alone. */
export const withCanonicalQuantities = (object: KubernetesObject): KubernetesObject => {
  const isBuiltIn = !object.apiVersion.includes('/') || /^(apps|batch|policy|autoscaling)\//.test(object.apiVersion);
  const spec = object['spec'];
  return isBuiltIn && isObject(spec) ? { ...object, spec: walk(spec, 'spec') } : object;
};
