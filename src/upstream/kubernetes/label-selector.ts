// Label selectors as policies, budgets and workloads write them (meta/v1 LabelSelector).

import { fieldsAt, listAt, mapAt, textAt, textsAt } from './objects.ts';

type Labels = Readonly<Record<string, string>>;

const holds = (expression: unknown, labels: Labels): boolean => {
  const key = textAt(expression, 'key') ?? '';
  const value = labels[key];
  const values = textsAt(expression, 'values');
  switch (textAt(expression, 'operator')) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
};

/** An empty selector matches everything. Absent is not empty: that is for the caller to know. */
export const matchesSelector = (selector: unknown, labels: Labels): boolean =>
  Object.entries(mapAt(selector, 'matchLabels')).every(([key, value]) => labels[key] === value) &&
  listAt(selector, 'matchExpressions').every((expression) => holds(expression, labels));

/** The plain map of a Service: an empty one chooses nothing. */
export const selects = (selector: Labels, labels: Labels): boolean => {
  const entries = Object.entries(selector);
  return entries.length > 0 && entries.every(([key, value]) => labels[key] === value);
};

const expressionWords = (expression: unknown): string => {
  const key = textAt(expression, 'key') ?? '';
  const values = textsAt(expression, 'values').join(', ');
  const words: Readonly<Record<string, string>> = {
    In: `${key} in (${values})`,
    NotIn: `${key} notin (${values})`,
    Exists: key,
    DoesNotExist: `!${key}`,
  };
  return words[textAt(expression, 'operator') ?? ''] ?? key;
};

/** As `kubectl -l` takes it; `''` for one that matches everything. */
export const selectorWords = (selector: unknown): string =>
  [
    ...Object.entries(mapAt(selector, 'matchLabels')).map(([key, value]) => `${key}=${value}`),
    ...listAt(selector, 'matchExpressions').map(expressionWords),
  ].join(',');

export const isEmptySelector = (selector: unknown): boolean =>
  Object.keys(fieldsAt(selector, 'matchLabels')).length === 0 && listAt(selector, 'matchExpressions').length === 0;
