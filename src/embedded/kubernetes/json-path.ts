// The simple JSON paths that custom resource definitions use in columns and selectable fields, as in `.status.conditions[?(@.type=="Ready")].status`.
import { isObject, type Json } from './json.ts';

type Step = (value: Json) => Json[];

const ofKey =
  (key: string): Step =>
  (value) => {
    const found = isObject(value) ? value[key] : undefined;
    return found === undefined ? [] : [found];
  };

const every: Step = (value) => {
  if (Array.isArray(value)) return value;
  return isObject(value) ? Object.values(value).filter((item) => item !== undefined) : [];
};

const ofIndex =
  (index: number): Step =>
  (value) => {
    const found = Array.isArray(value) ? value.at(index) : undefined;
    return found === undefined ? [] : [found];
  };

const COMPARISONS: Readonly<Record<string, (left: Json, right: Json) => boolean>> = {
  '==': (left, right) => left === right,
  '!=': (left, right) => left !== right,
  '<': (left, right) => Number(left) < Number(right),
  '>': (left, right) => Number(left) > Number(right),
  '<=': (left, right) => Number(left) <= Number(right),
  '>=': (left, right) => Number(left) >= Number(right),
};

const toLiteral = (text: string): Json => {
  const quoted = /^(["'])(.*)\1$/.exec(text);
  if (quoted !== null) return quoted[2] ?? '';
  if (text === 'true' || text === 'false') return text === 'true';
  return Number.isNaN(Number(text)) ? text : Number(text);
};

const ofFilter = (condition: string): Step => {
  const found = /^@(.*?)\s*(==|!=|<=|>=|<|>)\s*(.+)$/.exec(condition.trim());
  const path = toSteps(found?.[1] ?? condition.trim().replace(/^@/, ''));
  const compare = found === null ? undefined : COMPARISONS[found[2] ?? ''];
  const literal = toLiteral(found?.[3]?.trim() ?? '');
  return (value) =>
    every(value).filter((item) => {
      const [first] = follow([item], path);
      return compare === undefined ? first !== undefined : first !== undefined && compare(first, literal);
    });
};

const STEP = /^(?:\.(\*|(?:\\.|[^.[\]\\])+)|\[\?\((.+?)\)\]|\[(\*|-?\d+|'[^']*'|"[^"]*")\])/;

const toSteps = (path: string): Step[] => {
  const steps: Step[] = [];
  let rest = path;
  while (rest !== '' && rest !== '.') {
    const found = STEP.exec(rest);
    if (found === null) return [() => []];
    steps.push(toStep(found[1], found[2], found[3]));
    rest = rest.slice(found[0].length);
  }
  return steps;
};

const toStep = (key: string | undefined, filter: string | undefined, index: string | undefined): Step => {
  if (filter !== undefined) return ofFilter(filter);
  const word = key ?? index ?? '';
  if (word === '*') return every;
  if (key !== undefined) return ofKey(key.replace(/\\(.)/g, '$1'));
  return /^-?\d+$/.test(word) ? ofIndex(Number(word)) : ofKey(word.slice(1, -1));
};

const follow = (values: Json[], steps: readonly Step[]): Json[] => steps.reduce((current, step) => current.flatMap(step), values);

/** All values at a path; an absent key gives none. */
export const findAll = (value: Json, path: string): Json[] => {
  const trimmed = path.replace(/^\{|\}$/g, '').replace(/^\$/, '');
  return follow([value], toSteps(trimmed.startsWith('.') || trimmed.startsWith('[') ? trimmed : `.${trimmed}`));
};
