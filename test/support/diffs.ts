// For tests: what a plan says, held against the objects before and after. Written apart from the server's own way of comparing.

type Json = unknown;
type Fields = Record<string, Json>;

export interface Row {
  readonly ref: string;
  readonly path: string;
  readonly before?: Json;
  readonly after?: Json;
}

const isFields = (value: Json): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

/** `k8s://cluster/namespace/deployments.apps/name` as a path of the API. */
const GROUPS: Readonly<Record<string, string>> = {
  apps: 'apis/apps/v1',
  batch: 'apis/batch/v1',
  'suite.example.test': 'apis/suite.example.test/v1',
  'apiextensions.k8s.io': 'apis/apiextensions.k8s.io/v1',
};

export const toApiPath = (ref: string): string => {
  const [, , , namespace = '', kind = '', name = ''] = ref.split('/');
  const [plural = '', ...group] = kind.split('.');
  const root = group.length === 0 ? 'api/v1' : GROUPS[group.join('.')];
  if (root === undefined) throw new Error(`no path is known for ${ref}`);
  return `/${root}/${namespace === '_' ? '' : `namespaces/${namespace}/`}${plural}/${name}`;
};

/** Written by controllers for themselves. */
const NOTES = ['deployment.kubernetes.io/revision', 'deprecated.daemonset.template.generation'];

/** What people and controllers want of an object: neither its status nor the server's notes. */
export const toWanted = (object: Json): Json => {
  if (!isFields(object)) return undefined;
  const { status: _, metadata, ...rest } = object;
  const { managedFields, resourceVersion, uid, generation, creationTimestamp, annotations, ...own } = metadata as Fields;
  void [managedFields, resourceVersion, uid, generation, creationTimestamp];
  const kept = Object.fromEntries(Object.entries((annotations ?? {}) as Fields).filter(([key]) => !NOTES.includes(key)));
  return byName({ ...rest, ...withoutTaints(rest), metadata: { ...own, ...(Object.keys(kept).length > 0 ? { annotations: kept } : {}) } });
};

/** Controllers derive these from a cordon. */
const withoutTaints = ({ kind, spec }: Fields): Fields => {
  if (kind !== 'Node' || !isFields(spec)) return {};
  const { taints: _, ...rest } = spec;
  return { spec: rest };
};

/** A plan does not tell where in a list of named things a new one stands. */
export const byName = (value: Json): Json => {
  if (Array.isArray(value)) {
    const items = value.map(byName);
    const isNamed = items.every((item) => isFields(item) && typeof item['name'] === 'string');
    return isNamed ? items.toSorted((a, b) => (String((a as Fields)['name']) < String((b as Fields)['name']) ? -1 : 1)) : items;
  }
  return isFields(value) ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, byName(item)])) : value;
};

const STEP = /\.?([A-Za-z_$][\w$-]*)|\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|\[([^\]]+)\]/y;

type Step = string | number | readonly (readonly [string, string])[];

const toSteps = (path: string): Step[] => {
  const steps: Step[] = [];
  STEP.lastIndex = 0;
  while (STEP.lastIndex < path.length) {
    const at = STEP.lastIndex;
    const found = STEP.exec(path);
    if (found === null) throw new Error(`${path} cannot be read at ${at}`);
    const [, key, quoted, index, item] = found;
    if (index !== undefined) steps.push(Number(index));
    else if (item !== undefined) steps.push(item.split(',').map((pair) => pair.split('=') as [string, string]));
    else steps.push(key ?? (JSON.parse(`"${quoted}"`) as string));
  }
  return steps;
};

const indexOf = (list: Json[], step: Exclude<Step, string>): number =>
  typeof step === 'number' ? step : list.findIndex((item) => isFields(item) && step.every(([key, value]) => String(item[key]) === value));

const child = (value: Json, step: Step): Json => {
  if (typeof step === 'string') return isFields(value) ? value[step] : undefined;
  return Array.isArray(value) ? value[indexOf(value, step)] : undefined;
};

/** Labels and annotations go with their last key. */
const dropEmpty = (object: Json, steps: readonly Step[]): void => {
  const last = steps.at(-1);
  const container = steps.slice(0, -1).reduce<Json>(child, object);
  if (isFields(container) && typeof last === 'string' && /^(labels|annotations)$/.test(last)) delete container[last];
};

/** The object with a row of a plan carried out. */
export const carryOut = (object: Json, { path, after }: Row): Json => {
  if (path === '') return after;
  const copy = structuredClone(object);
  const steps = toSteps(path);
  const last = steps.at(-1) as Step;
  const container = steps.slice(0, -1).reduce<Json>((value, step) => {
    // Maps of labels and annotations come with their first key.
    if (isFields(value) && typeof step === 'string' && value[step] === undefined && /^(labels|annotations)$/.test(step)) value[step] = {};
    return child(value, step);
  }, copy);
  if (typeof last === 'string') {
    if (!isFields(container)) throw new Error(`${path} leads nowhere`);
    if (after === undefined) delete container[last];
    else container[last] = after;
    if (after === undefined && Object.keys(container).length === 0) dropEmpty(copy, steps.slice(0, -1));
  } else {
    if (!Array.isArray(container)) throw new Error(`${path} leads nowhere`);
    const at = indexOf(container, last);
    if (after === undefined) container.splice(at, 1);
    else if (at >= 0) container[at] = after;
    else container.push(after);
  }
  return copy;
};

/** The value that a path of a plan leads to. */
export const lookUp = (object: Json, path: string): Json => (path === '' ? object : toSteps(path).reduce<Json>(child, object));

/** Values that the server makes up anew are marked in a plan: they are whatever they are. */
export const fillGenerated = (planned: Json, real: Json): Json => {
  if (planned === '(set by the server)') return real;
  if (Array.isArray(planned)) return planned.map((item, index) => fillGenerated(item, Array.isArray(real) ? real[index] : undefined));
  if (!isFields(planned)) return planned;
  return Object.fromEntries(
    Object.entries(planned).map(([key, value]) => [key, fillGenerated(value, isFields(real) ? real[key] : undefined)]),
  );
};
