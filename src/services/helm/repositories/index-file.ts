// index.yaml of a chart repository. It may have tens of megabytes, and a YAML parser takes seconds for them: the layout that Helm writes is cut into
// charts and versions by its indentation, and only what is shown is parsed. Any other layout is parsed as a whole, up to a bound.

import { AppError } from '../../../kit/errors.ts';
import { type Fields, isFields, toFields, toList, toText, toTexts } from '../../../upstream/shapes.ts';
import { byNewest, pickNewest } from './semver.ts';

export interface ChartVersion {
  readonly name: string;
  readonly version: string;
  readonly appVersion: string | undefined;
  readonly description: string | undefined;
  readonly created: string | undefined;
  readonly deprecated: boolean;
  readonly urls: readonly string[];
  /** sha256 of the archive. */
  readonly digest: string | undefined;
  readonly keywords: readonly string[];
}

export interface ChartIndex {
  readonly names: readonly string[];
  /** Version texts, newest first; empty when there is no such chart. */
  versions(name: string): readonly string[];
  /** The newest that fits; absent range = the newest stable one. */
  pick(name: string, range: string | undefined, devel?: boolean): string | undefined;
  find(name: string, version: string): Promise<ChartVersion | undefined>;
  /** Whether the entry of a version has this text anywhere: names, keywords, description. */
  mentions(name: string, version: string, lowerCaseText: string): boolean;
}

/** Without the layout of Helm, the parser sees everything. */
const MAX_PARSED = 4 * 1024 * 1024;

/** Name -> version -> what is parsed when it is asked for. */
type Entries = ReadonlyMap<string, ReadonlyMap<string, string | Fields>>;

const PARSE_OPTIONS = { prettyErrors: false, logLevel: 'error', maxAliasCount: 100 } as const;

const toVersion = (name: string, fields: Fields): ChartVersion => ({
  name: toText(fields['name']) ?? name,
  version: scalar(fields['version']) ?? '',
  appVersion: scalar(fields['appVersion']),
  description: toText(fields['description']),
  created: toText(fields['created']),
  deprecated: fields['deprecated'] === true,
  urls: toTexts(fields['urls']),
  digest: toText(fields['digest'])?.replace(/^sha256:/, ''),
  keywords: toTexts(fields['keywords']),
});

/** `1.10` without quotes is a number to YAML. */
const scalar = (value: unknown): string | undefined => (typeof value === 'number' ? String(value) : toText(value));

const unquote = (text: string): string => text.trim().replace(/^(["'])(.*)\1$/, '$2');

/** Undefined: another layout than that of `helm repo index`. */
const cut = (text: string): Entries | undefined => {
  const start = /^entries:[ \t]*\r?\n/m.exec(text);
  if (start === null) return undefined;
  const body = text.slice(start.index + start[0].length);
  const end = /^[^\s#-]/m.exec(body);
  const entries = new Map<string, Map<string, string>>();
  const lines = body.slice(0, end?.index ?? body.length);
  // A key at the first indentation, then a list at the same or a deeper one.
  const names = [...lines.matchAll(/^ {2}(?! |-)(.+?):[ \t]*\r?$/gm)];
  if (names.length === 0) return undefined;
  for (const [index, found] of names.entries()) {
    const from = found.index + found[0].length;
    const versions = cutVersions(lines.slice(from, names[index + 1]?.index ?? lines.length));
    if (versions === undefined) return undefined;
    entries.set(unquote(found[1] ?? ''), versions);
  }
  return entries;
};

const cutVersions = (chunk: string): Map<string, string> | undefined => {
  const indent = /^( *)- /m.exec(chunk)?.[1]?.length;
  if (indent === undefined) return chunk.trim() === '' ? new Map() : undefined;
  const starts = [...chunk.matchAll(new RegExp(`^ {${indent}}- `, 'gm'))].map(({ index }) => index);
  const key = new RegExp(`^ {${indent}}[- ] version:[ \\t]*(.+?)[ \\t]*\\r?$`, 'm');
  const versions = new Map<string, string>();
  for (const [index, start] of starts.entries()) {
    const item = chunk.slice(start, starts[index + 1] ?? chunk.length);
    const version = key.exec(item)?.[1];
    // Anchors reach over the cuts.
    if (version === undefined || /^[&*|>]/.test(version)) return undefined;
    if (!versions.has(unquote(version))) versions.set(unquote(version), item);
  }
  return versions;
};

const toEntries = (value: unknown): Entries => {
  const charts = Object.entries(toFields(toFields(value)['entries'])).map(([name, list]) => {
    const versions = toList(list).filter(isFields);
    return [name, new Map(versions.map((fields) => [scalar(fields['version']) ?? '', fields]))] as const;
  });
  return new Map(charts);
};

const parseWhole = async (text: string, subject: string): Promise<Entries> => {
  const isJson = text.trimStart().startsWith('{');
  if (!isJson && text.length > MAX_PARSED)
    throw new AppError('PAYLOAD_TOO_LARGE', `The index of the ${subject} is large and not laid out as Helm writes it.`, {
      details: { service: 'helm', limit: MAX_PARSED },
    });
  try {
    const value: unknown = isJson ? JSON.parse(text) : (await import('yaml')).parse(text, PARSE_OPTIONS);
    if (isFields(value) && isFields(value['entries'])) return toEntries(value);
  } catch {
    // Said below, without the parser's words: they quote the text.
  }
  throw new AppError('DATA_ERROR', `The index of the ${subject} is no chart index.`, { details: { service: 'helm' } });
};

/** @throws DATA_ERROR */
export const parseIndex = async (text: string, subject: string): Promise<ChartIndex> => {
  const isJson = text.trimStart().startsWith('{');
  const entries = (isJson ? undefined : cut(text)) ?? (await parseWhole(text, subject));
  const sorted = new Map<string, readonly string[]>();
  const versionsOf = (name: string): readonly string[] => {
    const known = sorted.get(name) ?? [...(entries.get(name)?.keys() ?? [])].sort(byNewest);
    sorted.set(name, known);
    return known;
  };
  return {
    names: [...entries.keys()],
    versions: versionsOf,
    pick: (name, range, devel) => pickNewest(versionsOf(name), range, devel),
    async find(name, version) {
      const entry = entries.get(name)?.get(version);
      if (entry === undefined) return undefined;
      if (typeof entry !== 'string') return toVersion(name, entry);
      const { parse } = await import('yaml');
      try {
        const [fields] = toList(parse(entry, PARSE_OPTIONS));
        return { ...toVersion(name, toFields(fields)), version };
      } catch {
        throw new AppError('DATA_ERROR', `The entry of ${name} ${version} in the index of the ${subject} cannot be read.`, {
          details: { service: 'helm' },
        });
      }
    },
    mentions: (name, version, wanted) => {
      const entry = entries.get(name)?.get(version);
      return (typeof entry === 'string' ? entry : JSON.stringify(entry ?? '')).toLowerCase().includes(wanted);
    },
  };
};
