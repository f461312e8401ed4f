// Versions of charts: SemVer 2 with the constraints that Helm takes (Masterminds/semver): ^1.2, ~1.2, >=1 <2, 1.x, 1.2 - 2, a || b.

import { AppError } from '../../../kit/errors.ts';

export interface Version {
  readonly text: string;
  readonly numbers: readonly [number, number, number];
  readonly prerelease: readonly string[];
}

const VERSION = /^v?(\d{1,15})(?:\.(\d{1,15}))?(?:\.(\d{1,15}))?(?:-([0-9A-Za-z.-]{1,200}))?(?:\+[0-9A-Za-z.-]{1,200})?$/;

/** Undefined: no version. A missing minor or patch is 0, as in Helm. */
export const parseVersion = (text: string): Version | undefined => {
  const [, major, minor = '0', patch = '0', prerelease] = VERSION.exec(text.trim()) ?? [];
  if (major === undefined) return undefined;
  return { text, numbers: [Number(major), Number(minor), Number(patch)], prerelease: prerelease?.split('.') ?? [] };
};

const compareParts = (a: string, b: string): number => {
  const [left, right] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (left && right) return Number(a) - Number(b);
  if (left !== right) return left ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
};

/** SemVer 2, section 11; build metadata does not count. */
export const compareVersions = (a: Version, b: Version): number => {
  for (const index of [0, 1, 2] as const) {
    const difference = a.numbers[index] - b.numbers[index];
    if (difference !== 0) return difference;
  }
  if (a.prerelease.length === 0 || b.prerelease.length === 0) return b.prerelease.length - a.prerelease.length;
  for (const [index, part] of a.prerelease.entries()) {
    const other = b.prerelease[index];
    if (other === undefined) return 1;
    const difference = compareParts(part, other);
    if (difference !== 0) return difference;
  }
  return a.prerelease.length - b.prerelease.length;
};

/** Newest first; what is no version comes last. */
export const byNewest = (a: string, b: string): number => {
  const [left, right] = [parseVersion(a), parseVersion(b)];
  if (left === undefined || right === undefined) return Number(left === undefined) - Number(right === undefined) || (a < b ? 1 : -1);
  return compareVersions(right, left);
};

type Bound = readonly ['<' | '<=' | '>' | '>=' | '=' | '!=', Version];

const at = (major: number, minor = 0, patch = 0, prerelease: readonly string[] = []): Version => ({
  text: '',
  numbers: [major, minor, patch],
  prerelease,
});

const PARTIAL = /^v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

/** From the written version up to the next that it does not stand for: `1.2` is >=1.2.0 <1.3.0. */
const toSpan = (text: string): { from: Version; to: Version | undefined } | undefined => {
  const [, ...parts] = PARTIAL.exec(text) ?? [];
  if (parts.length === 0) return undefined;
  const [major, minor, patch] = parts.slice(0, 3).map((part) => (part === undefined || /[xX*]/.test(part) ? undefined : Number(part)));
  if (major === undefined) return { from: at(0), to: undefined };
  if (minor === undefined) return { from: at(major), to: at(major + 1) };
  if (patch === undefined) return { from: at(major, minor), to: at(major, minor + 1) };
  const exact = at(major, minor, patch, parts[3]?.split('.') ?? []);
  return { from: exact, to: exact };
};

const toCaret = ({ numbers: [major, minor, patch] }: Version, isWide: boolean): Version =>
  major > 0 || isWide ? at(major + 1) : minor > 0 ? at(0, minor + 1) : at(0, 0, patch + 1);

const toBounds = (operator: string, text: string): readonly Bound[] | undefined => {
  const span = toSpan(text);
  if (span === undefined) return undefined;
  const { from, to } = span;
  const isExact = from === to;
  switch (operator) {
    case '>':
      return isExact ? [['>', from]] : to === undefined ? undefined : [['>=', to]];
    case '>=':
    case '=>':
      return [['>=', from]];
    case '<':
      return [['<', from]];
    case '<=':
    case '=<':
      return isExact ? [['<=', from]] : to === undefined ? [] : [['<', to]];
    case '!=':
      return [['!=', from]];
    case '^':
      return [
        ['>=', from],
        ['<', toCaret(from, /^v?0(?:\.[xX*])?$/.test(text))],
      ];
    case '~':
    case '~>':
      return isExact
        ? [
            ['>=', from],
            ['<', at(from.numbers[0], from.numbers[1] + 1)],
          ]
        : [['>=', from], ...(to === undefined ? [] : [['<', to] as const])];
    default:
      return isExact ? [['=', from]] : [['>=', from], ...(to === undefined ? [] : [['<', to] as const])];
  }
};

const holds = (version: Version, [operator, bound]: Bound): boolean => {
  const order = compareVersions(version, bound);
  const results = { '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0, '=': order === 0, '!=': order !== 0 };
  return results[operator];
};

const TERM = /^\s*,?\s*(=>|>=|<=|=<|!=|~>|[<>=^~])?\s*(v?[0-9xX*][0-9A-Za-z.*+-]*)/;

const parseGroup = (text: string): readonly Bound[] | undefined => {
  const [, low, high] = /^\s*(\S+)\s+-\s+(\S+)\s*$/.exec(text) ?? [];
  if (low !== undefined && high !== undefined) {
    const [from, to] = [toBounds('>=', low), toBounds('<=', high)];
    return from === undefined || to === undefined ? undefined : [...from, ...to];
  }
  const bounds: Bound[] = [];
  let rest = text.trim();
  while (rest !== '') {
    const [matched, operator = '', version = ''] = TERM.exec(rest) ?? [];
    const found = matched === undefined ? undefined : toBounds(operator, version);
    if (matched === undefined || found === undefined) return undefined;
    bounds.push(...found);
    rest = rest.slice(matched.length).trim();
  }
  return bounds;
};

/** @throws INVALID_ARGUMENT @param withPrereleases else they match only where the constraint names one */
export const toConstraint = (text: string, { withPrereleases = false } = {}): ((version: Version) => boolean) => {
  const groups = text.length > 200 ? [undefined] : text.split('||').map(parseGroup);
  if (text.trim() === '' || groups.includes(undefined))
    throw new AppError('INVALID_ARGUMENT', `"${text.slice(0, 60)}" is no version and no range of versions.`, {
      details: { argument: 'version', expected: 'such as 1.2.3, ^1.2, ~1.2.0, >=1.0 <2.0, 1.x' },
    });
  const all = groups as readonly (readonly Bound[])[];
  return (version) =>
    all.some((bounds) => {
      const mayBePre = withPrereleases || bounds.some(([, bound]) => bound.prerelease.length > 0);
      return (mayBePre || version.prerelease.length === 0) && bounds.every((bound) => holds(version, bound));
    });
};

/** The newest text among those that fit; absent range = the newest stable one, else (all are prereleases) none. */
export const pickNewest = (texts: readonly string[], range: string | undefined, devel = false): string | undefined => {
  const exact = range === undefined ? undefined : texts.find((text) => text === range);
  if (exact !== undefined) return exact;
  const fits = toConstraint(range ?? '*', { withPrereleases: devel });
  return texts
    .filter((text) => {
      const version = parseVersion(text);
      return version !== undefined && fits(version);
    })
    .sort(byNewest)[0];
};
