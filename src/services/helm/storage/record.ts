// One release record as Helm stores it: base64 over gzip over JSON (pkg/storage/driver/util.go of Helm 3 and 4), read without trust.

import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { AppError } from '../../../kit/errors.ts';
import { type Fields, isFields, toFields, toInteger, toList, toText } from '../../../upstream/shapes.ts';

const unzip = promisify(gunzip);

/** An object holds at most 1 MiB; manifests shrink to a tenth, rarely to a hundredth. More is no release but a bomb. */
const MAX_RECORD_BYTES = 48 * 1024 * 1024;
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b, 0x08]);

export interface Hook {
  readonly name: string;
  readonly kind: string;
  /** The template it comes from. */
  readonly path: string;
  readonly manifest: string;
  readonly events: readonly string[];
  readonly weight: number;
  readonly deletePolicies: readonly string[];
  /** `Succeeded`, `Failed`, `Running`, `Unknown`; undefined = it has not run. */
  readonly phase: string | undefined;
  readonly startedAt: string | undefined;
  readonly completedAt: string | undefined;
}

export interface Release {
  readonly name: string;
  readonly namespace: string;
  readonly revision: number;
  readonly status: string;
  readonly description: string;
  /** RFC 3339 as Helm wrote them. */
  readonly firstDeployed: string | undefined;
  readonly lastDeployed: string | undefined;
  readonly notes: string;
  /** Server-side or client-side apply; records of Helm 3 say nothing, which means client-side. */
  readonly applyMethod: 'ssa' | 'csa';
  readonly chart: ReleaseChart;
  /** What the user set. */
  readonly values: Fields;
  readonly manifest: string;
  readonly hooks: readonly Hook[];
  readonly labels: Fields;
}

export interface ReleaseChart {
  readonly name: string;
  readonly version: string;
  readonly appVersion: string | undefined;
  /** Chart.yaml. */
  readonly metadata: Fields;
  /** Default values; those of subcharts are merged in by Helm when the chart has dependencies. */
  readonly values: Fields;
  readonly templates: readonly string[];
  readonly files: readonly string[];
  readonly hasSchema: boolean;
}

const unreadable = (object: string, why: string, cause?: unknown): AppError =>
  new AppError('DATA_ERROR', `The release record in ${object} cannot be read: ${why}.`, {
    details: { service: 'helm', object, ...(why.includes('larger') ? { limit: MAX_RECORD_BYTES } : {}) },
    cause,
  });

/** @param text the payload with Helm's own base64 @param object stands in errors: `secrets/sh.helm.release.v1.web.v3` */
export const decodeRelease = async (text: string, object: string): Promise<Release> => {
  const bytes = Buffer.from(text, 'base64');
  const isZipped = bytes.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC);
  const json = isZipped
    ? await unzip(bytes, { maxOutputLength: MAX_RECORD_BYTES }).catch((thrown: NodeJS.ErrnoException) => {
        throw unreadable(
          object,
          thrown.code === 'ERR_BUFFER_TOO_LARGE' ? 'it unpacks to something larger than allowed' : 'its gzip is broken',
          thrown,
        );
      })
    : bytes;
  let value: unknown;
  try {
    value = JSON.parse(json.toString('utf8'));
  } catch {
    // The parser would quote the text, which holds secrets.
    throw unreadable(object, 'it is no JSON');
  }
  if (!isFields(value) || toText(value['name']) === undefined || toInteger(value['version']) === undefined)
    throw unreadable(object, 'it is no release');
  return toRelease(value);
};

/** A record, and the dry run of the binary, which prints one. */
export const toRelease = (record: Fields): Release => {
  const info = toFields(record['info']);
  return {
    name: toText(record['name']) ?? '',
    namespace: toText(record['namespace']) ?? '',
    revision: toInteger(record['version']) ?? 0,
    status: toText(info['status']) ?? 'unknown',
    description: toText(info['description']) ?? '',
    firstDeployed: toText(info['first_deployed']),
    lastDeployed: toText(info['last_deployed']),
    notes: toText(info['notes']) ?? '',
    applyMethod: record['apply_method'] === 'ssa' ? 'ssa' : 'csa',
    chart: toChart(toFields(record['chart'])),
    values: toFields(record['config']),
    manifest: toText(record['manifest']) ?? '',
    hooks: toList(record['hooks']).map(toFields).map(toHook),
    labels: toFields(record['labels']),
  };
};

const toNames = (files: unknown): readonly string[] =>
  toList(files)
    .map((file) => toText(toFields(file)['name']))
    .filter((name) => name !== undefined);

const toChart = (chart: Fields): ReleaseChart => {
  const metadata = toFields(chart['metadata']);
  return {
    name: toText(metadata['name']) ?? '',
    version: toText(metadata['version']) ?? '',
    appVersion: toText(metadata['appVersion']),
    metadata,
    values: toFields(chart['values']),
    templates: toNames(chart['templates']),
    files: toNames(chart['files']),
    hasSchema: toText(chart['schema']) !== undefined,
  };
};

const texts = (value: unknown): readonly string[] => toList(value).filter((one): one is string => typeof one === 'string');
/** Go writes the year 1 for a time that was never set. */
const toTime = (value: unknown): string | undefined => {
  const text = toText(value);
  return text === undefined || text.startsWith('0001-') ? undefined : text;
};

const toHook = (hook: Fields): Hook => {
  const run = toFields(hook['last_run']);
  return {
    name: toText(hook['name']) ?? '',
    kind: toText(hook['kind']) ?? '',
    path: toText(hook['path']) ?? '',
    manifest: toText(hook['manifest']) ?? '',
    events: texts(hook['events']),
    weight: toInteger(hook['weight']) ?? 0,
    deletePolicies: texts(hook['delete_policies']),
    phase: toText(run['phase']),
    startedAt: toTime(run['started_at']),
    completedAt: toTime(run['completed_at']),
  };
};
