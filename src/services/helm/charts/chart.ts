// A chart out of its archive: Chart.yaml, values, schema, README, templates, dependencies.

import { AppError } from '../../../kit/errors.ts';
import { type Fields, isFields, toFields, toList, toText } from '../../../upstream/shapes.ts';
import { coalesce } from '../release/values.ts';
import { readArchive } from './tar.ts';

export interface Chart {
  readonly name: string;
  readonly version: string;
  readonly metadata: Fields;
  /** As written, with its comments. */
  readonly valuesText: string;
  readonly values: Fields;
  /** values.schema.json. */
  readonly schema: Fields | undefined;
  readonly readme: string | undefined;
  readonly files: ReadonlyMap<string, Buffer>;
  readonly subcharts: readonly Chart[];
}

const MAX_DEPTH = 5;
const PARSE_OPTIONS = { prettyErrors: false, logLevel: 'error', maxAliasCount: 100 } as const;

const broken = (file: string, why: string): AppError =>
  new AppError('DATA_ERROR', `The chart cannot be used: ${file} ${why}.`, { details: { service: 'helm', file } });

const parseYaml = async (text: string, file: string): Promise<Fields> => {
  const { parse } = await import('yaml');
  let value: unknown;
  try {
    value = parse(text, PARSE_OPTIONS);
  } catch {
    throw broken(file, 'is no YAML');
  }
  if (value === null || value === undefined) return {};
  if (isFields(value)) return value;
  throw broken(file, 'is no mapping');
};

const parseSchema = (text: string): Fields => {
  try {
    const value: unknown = JSON.parse(text);
    if (isFields(value)) return value;
  } catch {
    // Said below.
  }
  throw broken('values.schema.json', 'is no JSON object');
};

/** `charts/<name>/…` and `charts/<name>-<version>.tgz`, as maps of files. */
const subchartFiles = async (files: ReadonlyMap<string, Buffer>): Promise<ReadonlyMap<string, Buffer>[]> => {
  const folders = new Map<string, Map<string, Buffer>>();
  const packed: Buffer[] = [];
  for (const [path, body] of files) {
    const [, name = '', rest] = /^charts\/([^/_.][^/]*)(?:\/(.+))?$/.exec(path) ?? [];
    if (name === '') continue;
    if (rest === undefined) {
      if (name.endsWith('.tgz')) packed.push(body);
      continue;
    }
    const folder = folders.get(name) ?? new Map<string, Buffer>();
    folders.set(name, folder.set(rest, body));
  }
  return [...folders.values(), ...(await Promise.all(packed.map(readArchive)))].filter((folder) => folder.has('Chart.yaml'));
};

const toChart = async (files: ReadonlyMap<string, Buffer>, depth: number): Promise<Chart> => {
  const read = (name: string): string | undefined => files.get(name)?.toString('utf8');
  const text = read('Chart.yaml');
  if (text === undefined) throw broken('Chart.yaml', 'is missing');
  const metadata = await parseYaml(text, 'Chart.yaml');
  const [name, version] = [toText(metadata['name']), metadata['version']];
  if (name === undefined || version === undefined) throw broken('Chart.yaml', 'has no name or version');
  const valuesText = read('values.yaml') ?? '';
  const schemaText = read('values.schema.json');
  const inner = depth >= MAX_DEPTH ? [] : await subchartFiles(files);
  return {
    name,
    version: String(version),
    metadata,
    valuesText,
    values: await parseYaml(valuesText, 'values.yaml'),
    schema: schemaText === undefined ? undefined : parseSchema(schemaText),
    readme: read('README.md') ?? read('readme.md'),
    files,
    subcharts: await Promise.all(inner.map((folder) => toChart(folder, depth + 1))),
  };
};

export const readChart = async (archive: Buffer): Promise<Chart> => toChart(await readArchive(archive), 0);

/** Defaults with those of subcharts below their names (or aliases), and `global` shared with them. Conditions and import-values are left to Helm. */
export const computeValues = (chart: Chart, user: Fields): Fields => {
  const own = coalesce(chart.values, user);
  const shared = isFields(own['global']) ? { global: own['global'] } : {};
  const dependencies = toList(chart.metadata['dependencies']).map(toFields);
  const below = chart.subcharts.flatMap((subchart) => {
    const declared = dependencies.filter(({ name }) => name === subchart.name);
    const names = declared.length === 0 ? [subchart.name] : declared.map(({ alias }) => toText(alias) ?? subchart.name);
    return names.map((name) => [name, computeValues(subchart, { ...toFields(own[name]), ...shared })] as const);
  });
  return { ...own, ...Object.fromEntries(below) };
};

/** Whatever these make differs from one rendering to the next. */
const VOLATILE =
  /\b(?:rand(?:Alpha|AlphaNum|Numeric|Ascii|Bytes|Int)|gen(?:CA|SelfSignedCert|SignedCert|PrivateKey)\w*|uuidv4|now|htpasswd|bcrypt|encryptAES|ago)\b/;

const templatesOf = ({ files }: Chart): [string, Buffer][] => [...files].filter(([path]) => path.startsWith('templates/'));

export const isVolatile = (chart: Chart): boolean =>
  templatesOf(chart).some(([, body]) => VOLATILE.test(body.toString('utf8'))) || chart.subcharts.some(isVolatile);

/** Templates that read from the cluster while they are rendered. */
export const usesLookup = (chart: Chart): boolean =>
  templatesOf(chart).some(([, body]) => /\blookup\b/.test(body.toString('utf8'))) || chart.subcharts.some(usesLookup);

const IMAGE_LINE = /^\s*-?\s*image:\s*["']?([^\s"'{}#]+)["']?\s*(?:#.*)?$/gm;

/** Images as far as defaults and templates tell: a guess, because templates compute them. */
export const guessImages = (chart: Chart): string[] => {
  const found = new Set<string>();
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) walk(item);
    if (!isFields(value)) return;
    const repository = toText(value['repository']);
    if (repository !== undefined && ('tag' in value || 'digest' in value)) {
      const tag = value['tag'] === undefined || value['tag'] === '' ? String(chart.metadata['appVersion'] ?? '') : String(value['tag']);
      const registry = toText(value['registry']);
      found.add(`${registry === undefined ? '' : `${registry}/`}${repository}${tag === '' ? '' : `:${tag}`}`);
    }
    for (const [key, item] of Object.entries(value)) {
      if (key === 'image' && typeof item === 'string' && item !== '') found.add(item);
      else walk(item);
    }
  };
  walk(chart.values);
  for (const [, body] of templatesOf(chart)) for (const [, image = ''] of body.toString('utf8').matchAll(IMAGE_LINE)) found.add(image);
  for (const subchart of chart.subcharts) for (const image of guessImages(subchart)) found.add(image);
  return [...found];
};
