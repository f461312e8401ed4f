// Sets of fields (structured-merge-diff, fieldpath.Set) and their written form, FieldsV1.
import { isObject, type Json, type JsonObject, parseJson } from '../json.ts';
import type { Atom } from './types.ts';

/**
 * One step of a path as FieldsV1 writes it: `f:<field>`, `k:<keys of a list item>`, `v:<value of a set>`, `i:<index>`.
 */
export type Step = string;
export type Path = readonly Step[];

/** A path may be in the set itself, and so may paths below it: the one says nothing of the other. */
export class FieldSet {
  readonly #members: Set<Step>;
  readonly #children: Map<Step, FieldSet>;

  private constructor(members: Set<Step>, children: Map<Step, FieldSet>) {
    this.#members = members;
    this.#children = children;
  }

  static empty(): FieldSet {
    return new FieldSet(new Set(), new Map());
  }

  static of(...paths: readonly Path[]): FieldSet {
    const set = FieldSet.empty();
    for (const path of paths) set.insert(path);
    return set;
  }

  static parse(fields: Json | undefined): FieldSet {
    const set = FieldSet.empty();
    for (const [step, value] of Object.entries(isObject(fields) ? fields : {})) {
      if (step === '.') continue;
      const below = FieldSet.parse(value);
      if (below.isEmpty || (isObject(value) && value['.'] !== undefined)) set.#members.add(step);
      if (!below.isEmpty) set.#children.set(step, below);
    }
    return set;
  }

  get isEmpty(): boolean {
    return this.#members.size === 0 && [...this.#children.values()].every((child) => child.isEmpty);
  }

  insert(path: Path): void {
    const [step, ...rest] = path;
    if (step === undefined) return;
    if (rest.length === 0) {
      this.#members.add(step);
      return;
    }
    const child = this.#children.get(step) ?? FieldSet.empty();
    this.#children.set(step, child);
    child.insert(rest);
  }

  has([step, ...rest]: Path): boolean {
    if (step === undefined) return false;
    return rest.length === 0 ? this.#members.has(step) : (this.#children.get(step)?.has(rest) ?? false);
  }

  /** The paths below a step. */
  below(step: Step): FieldSet | undefined {
    const child = this.#children.get(step);
    return child === undefined || child.isEmpty ? undefined : child;
  }

  union(other: FieldSet): FieldSet {
    const children = new Map(this.#children);
    for (const [step, child] of other.#children) children.set(step, children.get(step)?.union(child) ?? child);
    return new FieldSet(this.#members.union(other.#members), children);
  }

  difference(other: FieldSet): FieldSet {
    const children = new Map<Step, FieldSet>();
    for (const [step, child] of this.#children) {
      const taken = other.#children.get(step);
      const left = taken === undefined ? child : child.difference(taken);
      if (!left.isEmpty) children.set(step, left);
    }
    return new FieldSet(this.#members.difference(other.#members), children);
  }

  /** Without the given paths and all that lies below them. */
  without(other: FieldSet): FieldSet {
    const children = new Map<Step, FieldSet>();
    for (const [step, child] of this.#children) {
      if (other.#members.has(step)) continue;
      const taken = other.#children.get(step);
      const left = taken === undefined ? child : child.without(taken);
      if (!left.isEmpty) children.set(step, left);
    }
    return new FieldSet(this.#members.difference(other.#members), children);
  }

  intersection(other: FieldSet): FieldSet {
    const children = new Map<Step, FieldSet>();
    for (const [step, child] of this.#children) {
      const shared = other.#children.get(step)?.intersection(child);
      if (shared !== undefined && !shared.isEmpty) children.set(step, shared);
    }
    return new FieldSet(this.#members.intersection(other.#members), children);
  }

  /** With the declared fields of which something below is in the set: they are not said to be in it otherwise. */
  withParts(atom: Atom | undefined): FieldSet {
    const members = new Set(this.#members);
    const children = new Map<Step, FieldSet>();
    for (const [step, child] of this.#children) {
      const declared = step.startsWith('f:') ? atom?.map?.field(step.slice(2)) : undefined;
      if (declared !== undefined && !child.isEmpty) members.add(step);
      const below = step.startsWith('f:') ? (declared ?? atom?.map?.element?.()) : atom?.list?.item();
      children.set(step, child.withParts(below));
    }
    return new FieldSet(members, children);
  }

  /** All paths in the server's order: those of a level before those below. */
  *paths(prefix: Path = []): Generator<Path> {
    for (const step of [...this.#members].sort(compareSteps)) yield [...prefix, step];
    for (const [step, child] of [...this.#children].sort(([left], [right]) => compareSteps(left, right))) {
      yield* child.paths([...prefix, step]);
    }
  }

  toFields(): JsonObject {
    const fields: JsonObject = {};
    const steps = new Set([...this.#members, ...this.#children.keys()]);
    for (const step of [...steps].sort(compareSteps)) {
      const below = this.below(step)?.toFields();
      if (this.#members.has(step)) fields[step] = below === undefined ? {} : { '.': {}, ...below };
      else if (below !== undefined) fields[step] = below;
    }
    return fields;
  }
}

/** Fields before keys before values; keys by their values, numbers as numbers. */
const compareSteps = (left: Step, right: Step): number => {
  const isPlain = left.startsWith('f:') || right.startsWith('f:') || left[0] !== right[0];
  if (isPlain) return left < right ? -1 : left > right ? 1 : 0;
  return compareValues(parseJson(left.slice(2)), parseJson(right.slice(2)));
};

const compareValues = (left: Json | undefined, right: Json | undefined): number => {
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  if (!isObject(left) || !isObject(right)) return String(left) < String(right) ? -1 : String(left) > String(right) ? 1 : 0;
  for (const [name, value] of Object.entries(left)) {
    if (!Object.hasOwn(right, name)) return -1;
    const order = compareValues(value, right[name]);
    if (order !== 0) return order;
  }
  return Object.keys(left).length - Object.keys(right).length;
};

const printStep = (step: Step): string => {
  const text = step.slice(2);
  if (step.startsWith('f:')) return `.${text}`;
  if (step.startsWith('i:')) return `[${text}]`;
  const value = parseJson(text);
  if (!isObject(value)) return `[=${JSON.stringify(value)}]`;
  const keys = Object.entries(value).map(([name, item]) => `${name}=${JSON.stringify(item ?? null)}`);
  return `[${keys.join(',')}]`;
};

/** A path as errors name it: `.spec.template.spec.containers[name="main"].image`. */
export const printPath = (path: Path): string => path.map(printStep).join('');
