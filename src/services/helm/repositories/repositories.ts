// The places that charts come from: configured repositories, and references on allowed hosts. Indexes are kept for ten minutes, archives by digest.

import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { AppError } from '../../../kit/errors.ts';
import { nearestNames } from '../../../kit/nearest.ts';
import type { SecretSource } from '../../../kit/secret.ts';
import type { ServiceDeps } from '../../../kit/service.ts';
import type { HelmConfig, RepositoryConfig } from '../config.ts';
import { createDownloads } from './download.ts';
import { type ChartIndex, parseIndex } from './index-file.ts';
import { createRegistry, type Login, type OciPlace } from './oci.ts';
import { type ChartPlace, parseReference } from './reference.ts';
import { pickNewest } from './semver.ts';

const INDEX_BYTES = 32 * 1024 * 1024;
const ARCHIVE_BYTES = 20 * 1024 * 1024;
const CACHED_INDEX_BYTES = 64 * 1024 * 1024;
const CACHED_ARCHIVE_BYTES = 64 * 1024 * 1024;
const FRESH_MS = 10 * 60_000;

export interface HttpRepository {
  readonly name: string;
  /** Without the file. */
  readonly url: string;
  readonly login: () => Promise<Login>;
}

interface IndexState {
  readonly index: ChartIndex;
  readonly bytes: number;
  readonly readAt: number;
  readonly etag: string | undefined;
  readonly modified: string | undefined;
}

/** A version of a chart, pinned. */
export interface ChartArchive {
  readonly name: string;
  readonly version: string;
  /** `repo/name`, `oci://…` or the URL. */
  readonly reference: string;
  /** `sha256:…` of the archive: what is shown, planned and installed. */
  readonly digest: string;
  /** Whether the source had told this digest before. */
  readonly isVerified: boolean;
  readonly archive: Buffer;
}

export interface Versions {
  readonly name: string;
  readonly versions: readonly string[];
  /** Facts of an index; a registry knows tags alone. */
  readonly index: ChartIndex | undefined;
  readonly isCut: boolean;
}

export interface Repositories {
  readonly configured: readonly RepositoryConfig[];
  /** By configured name, or by URL on an allowed host. */
  http(nameOrUrl: string): HttpRepository;
  index(repository: HttpRepository, options: { signal: AbortSignal; refresh?: boolean | undefined }): Promise<ChartIndex>;
  /** When the index was read; undefined = it is not at hand. */
  readAt(repository: HttpRepository): number | undefined;
  versions(reference: string, options: { signal: AbortSignal; refresh?: boolean | undefined }): Promise<Versions>;
  /** Resolves a version or range and fetches the archive. */
  chart(
    reference: string,
    version: string | undefined,
    options: { signal: AbortSignal; devel?: boolean | undefined },
  ): Promise<ChartArchive>;
  readonly stats: () => { readonly indexes: number; readonly archives: number; readonly hits: number; readonly misses: number };
}

const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** Secrets of the configuration, followed when they rotate. */
const toLogin = ({ name, username, password, token }: RepositoryConfig, deps: ServiceDeps): (() => Promise<Login>) => {
  const follow = (key: string, value: string | undefined): SecretSource | undefined =>
    value === undefined ? undefined : deps.secret(`helm.repositories.${name}.${key}`, value);
  const [passwords, tokens] = [follow('password', password), follow('token', token)];
  return async () => {
    if (tokens !== undefined) return { token: await tokens.current() };
    if (username === undefined) return {};
    return { basic: Buffer.from(`${username}:${(await passwords?.current()) ?? ''}`).toString('base64') };
  };
};

const toHeaders = ({ basic, token }: Login): Readonly<Record<string, string>> => {
  if (token !== undefined) return { authorization: `Bearer ${token}` };
  return basic === undefined ? {} : { authorization: `Basic ${basic}` };
};

const isOci = ({ url }: RepositoryConfig): boolean => url.startsWith('oci:');
const trim = (url: string): string => url.replace(/\/+$/, '');

const header = (headers: Readonly<Record<string, string | string[] | undefined>>, name: string): string | undefined => {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
};

const noVersion = (name: string, range: string | undefined, versions: readonly string[]): AppError => {
  if (versions.length === 0) return new AppError('NOT_FOUND', `There is no chart ${name}.`, { details: { argument: 'chart' } });
  const wanted = range === undefined ? 'no stable version; name a pre-release' : `no version ${range.slice(0, 60)}`;
  return new AppError('NOT_FOUND', `The chart ${name} has ${wanted}.`, {
    details: { argument: 'version', choices: versions.slice(0, 20) },
  });
};

export const createRepositories = (config: HelmConfig, deps: ServiceDeps): Repositories => {
  const downloads = createDownloads(config);
  const registry = createRegistry(downloads);
  const logins = new Map(config.repositories.map((repository) => [repository.name, toLogin(repository, deps)]));
  const indexes = new LRUCache<string, IndexState>({ maxSize: CACHED_INDEX_BYTES, sizeCalculation: ({ bytes }) => Math.max(1, bytes) });
  const archives = new LRUCache<string, Buffer>({ maxSize: CACHED_ARCHIVE_BYTES, sizeCalculation: ({ length }) => Math.max(1, length) });
  let hits = 0;
  let misses = 0;
  const anonymous = async (): Promise<Login> => ({});
  const loginFor = (name: string): (() => Promise<Login>) => logins.get(name) ?? anonymous;

  const http: Repositories['http'] = (nameOrUrl) => {
    const known = config.repositories.find(({ name, url }) => name === nameOrUrl || trim(url) === trim(nameOrUrl));
    if (known !== undefined && !isOci(known)) return { name: known.name, url: trim(known.url), login: loginFor(known.name) };
    if (known !== undefined || nameOrUrl.startsWith('oci:'))
      throw new AppError('UNSUPPORTED', 'A registry cannot be searched by word: name the whole chart, such as oci://host/path/chart.', {
        details: { argument: 'repository', needs: 'an HTTP repository' },
      });
    if (/^https?:\/\//.test(nameOrUrl)) {
      downloads.checkHost(nameOrUrl);
      return { name: trim(nameOrUrl), url: trim(nameOrUrl), login: anonymous };
    }
    const names = config.repositories.map(({ name }) => name);
    throw new AppError('NOT_FOUND', `No repository ${nameOrUrl.slice(0, 100)} is configured.`, {
      details: { argument: 'repository', nearest: nearestNames(nameOrUrl, names), choices: names, setting: 'helm.repositories' },
    });
  };

  const readIndex = async (
    { name, url, login }: HttpRepository,
    known: IndexState | undefined,
    signal: AbortSignal,
  ): Promise<IndexState> => {
    const subject = `repository ${name}`;
    const headers = {
      ...toHeaders(await login()),
      ...(known?.etag === undefined ? {} : { 'if-none-match': known.etag }),
      ...(known?.modified === undefined ? {} : { 'if-modified-since': known.modified }),
    };
    const answer = await downloads.get(`${url}/index.yaml`, { headers, maxBytes: INDEX_BYTES, signal, subject, expect: [304] });
    if (answer.status === 304 && known !== undefined) return { ...known, readAt: deps.now() };
    return {
      index: await parseIndex(answer.body.toString('utf8'), subject),
      bytes: answer.body.length,
      readAt: deps.now(),
      etag: header(answer.headers, 'etag'),
      modified: header(answer.headers, 'last-modified'),
    };
  };

  const index: Repositories['index'] = async (repository, { signal, refresh = false }) => {
    signal.throwIfAborted();
    const known = indexes.get(repository.url);
    if (known !== undefined && !refresh && deps.now() - known.readAt < FRESH_MS) {
      hits += 1;
      return known.index;
    }
    misses += 1;
    const state = await readIndex(repository, known, signal);
    indexes.set(repository.url, state);
    return state.index;
  };

  const toPlace = (reference: string): ChartPlace => {
    const place = parseReference(reference, config.repositories);
    if (place.kind === 'oci') downloads.checkHost(place.origin);
    if (place.kind === 'url') downloads.checkHost(place.url);
    return place;
  };
  const toOci = (place: Extract<ChartPlace, { kind: 'oci' }>): OciPlace => ({ ...place, login: loginFor(place.repository ?? '') });

  const versions: Repositories['versions'] = async (reference, options) => {
    const place = toPlace(reference);
    if (place.kind === 'oci') return { name: place.name, index: undefined, ...(await registry.versions(toOci(place), options.signal)) };
    if (place.kind === 'url')
      throw new AppError('UNSUPPORTED', 'The URL of an archive is one version: there are no others to list.', {
        details: { argument: 'repository' },
      });
    const found = await index(http(place.repository), options);
    return { name: place.chart, versions: found.versions(place.chart), index: found, isCut: false };
  };

  const remember = (digest: string, archive: Buffer): Buffer => {
    archives.set(digest, archive);
    return archive;
  };

  const fromIndex = async (
    place: Extract<ChartPlace, { kind: 'index' }>,
    range: string | undefined,
    options: Parameters<Repositories['chart']>[2],
  ) => {
    const repository = http(place.repository);
    const found = await index(repository, options);
    const version = found.pick(place.chart, range, options.devel);
    const entry = version === undefined ? undefined : await found.find(place.chart, version);
    if (version === undefined || entry === undefined)
      throw noVersion(`${place.repository}/${place.chart}`, range, found.versions(place.chart));
    const [target] = entry.urls;
    const url = target !== undefined && URL.canParse(target, `${repository.url}/`) ? new URL(target, `${repository.url}/`) : undefined;
    if (url === undefined)
      throw new AppError('DATA_ERROR', `The index of ${repository.name} gives no address for ${place.chart} ${version}.`, {
        details: { service: 'helm' },
      });
    const told = entry.digest === undefined ? undefined : `sha256:${entry.digest}`;
    const cached = told === undefined ? undefined : archives.get(told);
    const isSame = url.origin === new URL(repository.url).origin;
    const archive =
      cached ??
      (
        await downloads.get(url.href, {
          headers: isSame ? toHeaders(await repository.login()) : {},
          maxBytes: ARCHIVE_BYTES,
          signal: options.signal,
          subject: `repository ${repository.name}`,
        })
      ).body;
    const digest = sha256(archive);
    if (told !== undefined && told !== digest)
      throw new AppError(
        'DATA_ERROR',
        `${place.chart} ${version}: the archive has another digest than the index of ${repository.name} says. It was not used.`,
        {
          details: { service: 'helm', expected: told, actual: digest },
        },
      );
    return {
      name: place.chart,
      version,
      reference: `${place.repository}/${place.chart}`,
      digest,
      isVerified: told !== undefined,
      archive: remember(digest, archive),
    };
  };

  const fromRegistry = async (
    place: Extract<ChartPlace, { kind: 'oci' }>,
    range: string | undefined,
    { signal, devel }: Parameters<Repositories['chart']>[2],
  ) => {
    const oci = toOci(place);
    const wanted = range ?? place.tag;
    // An exact version needs no list of tags, which some registries do not give.
    const isExact = wanted !== undefined && /^v?\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$/.test(wanted);
    const all = isExact ? undefined : (await registry.versions(oci, signal)).versions;
    const version = all === undefined ? wanted : pickNewest(all, wanted, devel);
    if (version === undefined) throw noVersion(place.reference, wanted, all ?? []);
    const chart = await registry.resolve(oci, version, signal);
    const archive = archives.get(chart.digest) ?? (await registry.fetch(oci, chart, { signal, maxBytes: ARCHIVE_BYTES }));
    const name = place.name.split('/').at(-1) ?? place.name;
    return { name, version, reference: place.reference, digest: chart.digest, isVerified: true, archive: remember(chart.digest, archive) };
  };

  return {
    configured: config.repositories,
    http,
    index,
    readAt: ({ url }) => indexes.peek(url)?.readAt,
    versions,
    async chart(reference, range, options) {
      const place = toPlace(reference);
      if (place.kind === 'index') return fromIndex(place, range, options);
      if (place.kind === 'oci') return fromRegistry(place, range, options);
      const { body } = await downloads.get(place.url, {
        maxBytes: ARCHIVE_BYTES,
        signal: options.signal,
        subject: `host ${new URL(place.url).host}`,
      });
      // Name and version stand in the archive alone.
      return { name: '', version: '', reference: place.url, digest: sha256(body), isVerified: false, archive: body };
    },
    stats: () => ({ indexes: indexes.size, archives: archives.size, hits, misses }),
  };
};
