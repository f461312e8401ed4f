// Values as Helm computes them (pkg/chart/common/util/coalesce.go): chart defaults below what the user set.

import { type Fields, isFields } from '../../../upstream/shapes.ts';

/** A null of the user takes a default away; nulls of the chart stay as they are. Maps merge deeply, all else is replaced. */
export const coalesce = (defaults: Fields, user: Fields): Fields => {
  const merged = new Map(Object.entries(defaults));
  for (const [key, value] of Object.entries(user)) {
    const base = merged.get(key);
    if (value === null && merged.has(key)) merged.delete(key);
    else if (isFields(value) && isFields(base)) merged.set(key, coalesce(base, value));
    else if (isFields(base) && value !== null && !isFields(value)) merged.set(key, value);
    else merged.set(key, value);
  }
  return Object.fromEntries(merged);
};
