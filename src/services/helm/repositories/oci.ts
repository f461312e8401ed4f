// Charts in OCI registries (distribution-spec 1.1, Helm's media types): tags, manifest, and the one layer that is the archive.

import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { AppError } from '../../../kit/errors.ts';
import { type Fields, toFields, toInteger, toList, toText, toTexts } from '../../../upstream/shapes.ts';
import type { Download, Downloads } from './download.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CHART_LAYER = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip';
/** Helm before 3.7. */
const OLD_CHART_LAYER = 'application/tar+gzip';
const MAX_DOCUMENT = 4 * 1024 * 1024;
const MAX_PAGES = 50;
const PAGE = 1000;
const TOKEN_MS = 60_000;

export interface OciPlace {
  /** `http://` or `https://` and the host. */
  readonly origin: string;
  /** Path of the chart in the registry: `charts/web`. */
  readonly name: string;
  /** As people write it: `oci://host/charts/web`. */
  readonly reference: string;
  readonly login: () => Promise<Login>;
}

export interface Login {
  readonly basic?: string;
  readonly token?: string;
}

export interface OciChart {
  /** Of the manifest: what a tag means now. */
  readonly manifestDigest: string;
  /** Of the archive, `sha256:…`. */
  readonly digest: string;
  readonly size: number;
}

export interface Registry {
  /** Tags as versions: a `_` of a tag is the `+` of a version. */
  versions(place: OciPlace, signal: AbortSignal): Promise<{ readonly versions: readonly string[]; readonly isCut: boolean }>;
  resolve(place: OciPlace, version: string, signal: AbortSignal): Promise<OciChart>;
  /** The archive, its digest checked. */
  fetch(place: OciPlace, chart: OciChart, options: { signal: AbortSignal; maxBytes: number }): Promise<Buffer>;
}

/** `Bearer realm="…",service="…",scope="…"`. */
const parseChallenge = (header: unknown): Readonly<Record<string, string>> | undefined => {
  const text = [header ?? []].flat().find((one) => /^bearer\s/i.test(String(one)));
  if (typeof text !== 'string') return undefined;
  return Object.fromEntries([...text.matchAll(/([a-z_]+)="([^"]*)"/gi)].map(([, key = '', value = '']) => [key.toLowerCase(), value]));
};

const parseJson = ({ body }: Download, what: string): Fields => {
  try {
    return toFields(JSON.parse(body.toString('utf8')));
  } catch {
    throw new AppError('DATA_ERROR', `The ${what} of the registry is no JSON.`, { details: { service: 'helm' } });
  }
};

const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** A digest stands in a path and is compared: nothing else may pass as one. */
const isDigest = (text: string | undefined): text is string => text !== undefined && /^sha256:[0-9a-f]{64}$/.test(text);

/** `<…>; rel="next"`, which may be relative. */
const nextPage = ({ headers, url }: Download): string | undefined => {
  const [, target] = /<([^>]+)>\s*;\s*rel="?next"?/i.exec(String(headers['link'] ?? '')) ?? [];
  return target !== undefined && URL.canParse(target, url) ? new URL(target, url).href : undefined;
};

export const createRegistry = (downloads: Downloads): Registry => {
  const tokens = new LRUCache<string, string>({ max: 100, ttl: TOKEN_MS });

  const askToken = async (
    place: OciPlace,
    challenge: Readonly<Record<string, string>>,
    { basic }: Login,
    signal: AbortSignal,
  ): Promise<string> => {
    const { realm = '', service } = challenge;
    if (!URL.canParse(realm))
      throw new AppError('DATA_ERROR', 'The registry names no place where tokens are given.', { details: { service: 'helm' } });
    const url = new URL(realm);
    if (service !== undefined) url.searchParams.set('service', service);
    url.searchParams.set('scope', `repository:${place.name}:pull`);
    const headers = basic === undefined ? {} : { authorization: `Basic ${basic}` };
    const answer = await downloads.get(url.href, {
      headers,
      maxBytes: MAX_DOCUMENT,
      signal,
      subject: `token service of ${new URL(place.origin).host}`,
    });
    const fields = parseJson(answer, 'token');
    const token = toText(fields['token']) ?? toText(fields['access_token']);
    if (token === undefined)
      throw new AppError('UNAUTHENTICATED', 'The registry gives no token.', { details: { service: 'helm', setting: 'helm.repositories' } });
    return token;
  };

  const get = async (
    place: OciPlace,
    url: string,
    { accept, maxBytes = MAX_DOCUMENT, signal }: { accept?: string; maxBytes?: number; signal: AbortSignal },
  ): Promise<Download> => {
    const login = await place.login();
    const key = `${place.origin}/${place.name}\0${login.basic ?? ''}`;
    const subject = `registry ${new URL(place.origin).host}`;
    const send = (authorization: string | undefined, expect: readonly number[]): Promise<Download> => {
      const headers = { ...(accept === undefined ? {} : { accept }), ...(authorization === undefined ? {} : { authorization }) };
      return downloads.get(url, { headers, maxBytes, signal, subject, expect });
    };
    const known = login.token ?? tokens.get(key);
    const first = await send(known === undefined ? undefined : `Bearer ${known}`, [401]);
    if (first.status !== 401) return first;
    const challenge = parseChallenge(first.headers['www-authenticate']);
    if (challenge === undefined) return send(login.basic === undefined ? undefined : `Basic ${login.basic}`, []);
    const token = await askToken(place, challenge, login, signal);
    tokens.set(key, token);
    return send(`Bearer ${token}`, []);
  };

  return {
    async versions(place, signal) {
      const tags: string[] = [];
      let url: string | undefined = `${place.origin}/v2/${place.name}/tags/list?n=${PAGE}`;
      for (let page = 0; url !== undefined; page += 1) {
        if (page === MAX_PAGES) return { versions: tags, isCut: true };
        const answer: Download = await get(place, url, { signal });
        tags.push(...toTexts(parseJson(answer, 'list of tags')['tags']).map((tag) => tag.replaceAll('_', '+')));
        const next: string | undefined = nextPage(answer);
        // A page elsewhere would be asked without the login, or with one that is not meant for it.
        url = next !== undefined && new URL(next).origin === place.origin ? next : undefined;
      }
      return { versions: tags, isCut: false };
    },
    async resolve(place, version, signal) {
      const tag = version.replaceAll('+', '_');
      if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(tag))
        throw new AppError('INVALID_ARGUMENT', 'This is no version of a chart in a registry.', { details: { argument: 'version' } });
      const answer = await get(place, `${place.origin}/v2/${place.name}/manifests/${tag}`, { accept: MANIFEST, signal });
      const layers = toList(parseJson(answer, 'manifest')['layers']).map(toFields);
      const layer = [CHART_LAYER, OLD_CHART_LAYER]
        .map((type) => layers.find((one) => one['mediaType'] === type))
        .find((one) => one !== undefined);
      const digest = toText(layer?.['digest']);
      if (!isDigest(digest))
        throw new AppError('DATA_ERROR', `${place.reference}:${tag} is no Helm chart: its manifest has no layer with one.`, {
          details: { service: 'helm' },
        });
      return { manifestDigest: sha256(answer.body), digest, size: toInteger(layer?.['size']) ?? 0 };
    },
    async fetch(place, { digest }, { signal, maxBytes }) {
      const { body } = await get(place, `${place.origin}/v2/${place.name}/blobs/${digest}`, { maxBytes, signal });
      if (sha256(body) === digest) return body;
      throw new AppError('DATA_ERROR', `${place.reference}: the archive has another digest than its manifest says. It was not used.`, {
        details: { service: 'helm', expected: digest },
      });
    },
  };
};
