// For tests: release records as Helm stores them, good and bad.

import { gzipSync } from 'node:zlib';

export interface RecordOptions {
  readonly name: string;
  readonly namespace: string;
  readonly revision?: number;
  readonly status?: string;
  readonly storage?: 'Secret' | 'ConfigMap';
  readonly values?: object;
  readonly defaults?: object;
  readonly manifest?: string;
  readonly hooks?: readonly object[];
  readonly notes?: string;
  readonly description?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Seconds since the epoch. */
  readonly modifiedAt?: number;
  /** Instead of a record: what stands in the payload. */
  readonly payload?: Buffer;
  readonly chartVersion?: string;
}

/** The record as JSON. */
export const toRecord = ({ name, namespace, revision = 1, status = 'deployed', ...rest }: RecordOptions): object => ({
  name,
  namespace,
  version: revision,
  info: {
    status,
    description: rest.description ?? 'Install complete',
    first_deployed: '2026-01-02T03:04:05.6Z',
    last_deployed: '2026-01-02T03:04:05.6Z',
    notes: rest.notes ?? '',
  },
  chart: {
    metadata: { name: 'box', version: rest.chartVersion ?? '1.0.0', appVersion: '2.0' },
    values: rest.defaults ?? {},
    templates: [],
    files: [],
  },
  config: rest.values ?? {},
  manifest: rest.manifest ?? '',
  hooks: rest.hooks ?? [],
});

/** The Secret or ConfigMap. */
export const toRecordObject = (options: RecordOptions): object => {
  const {
    name,
    namespace,
    revision = 1,
    status = 'deployed',
    storage = 'Secret',
    labels = {},
    payload,
    modifiedAt = 1_767_323_045,
  } = options;
  const inner = (payload ?? gzipSync(JSON.stringify(toRecord(options)))).toString('base64');
  return {
    apiVersion: 'v1',
    kind: storage,
    metadata: {
      name: `sh.helm.release.v1.${name}.v${revision}`,
      namespace,
      labels: { owner: 'helm', name, status, version: String(revision), modifiedAt: String(modifiedAt), ...labels },
    },
    ...(storage === 'Secret' ? { type: 'helm.sh/release.v1' } : {}),
    data: { release: storage === 'Secret' ? Buffer.from(inner).toString('base64') : inner },
  };
};
