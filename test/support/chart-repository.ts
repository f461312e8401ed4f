// For tests: charts as archives, and small servers that give them as an HTTP repository and as an OCI registry do.

import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

export interface TarEntry {
  readonly path: string;
  readonly body?: string | Buffer;
  /** `0` a file, `2` a symbolic link ... */
  readonly type?: string;
}

const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, '0')}\0`;

/** A tar archive as Go's archive/tar writes it (ustar). */
export const toTar = (entries: readonly TarEntry[]): Buffer => {
  const blocks = entries.flatMap(({ path, body = '', type = '0' }) => {
    const bytes = Buffer.from(body);
    const header = Buffer.alloc(512);
    header.write(path, 0, 100);
    header.write(octal(0o644, 8), 100);
    header.write(octal(bytes.length, 12), 124);
    header.write(octal(0, 12), 136);
    header.write('        ', 148);
    header.write(type, 156);
    if (type === '2') header.write('/etc/passwd', 157);
    header.write('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
};

/** A chart archive from its files. */
export const toChartArchive = (name: string, files: Readonly<Record<string, string>>): Buffer =>
  gzipSync(toTar(Object.entries(files).map(([path, body]) => ({ path: `${name}/${path}`, body }))));

export const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

export interface Double {
  readonly url: string;
  /** Requests as they came: method, path, and the authorization header. */
  readonly seen: {
    readonly method: string;
    readonly path: string;
    readonly authorization: string | undefined;
    readonly headers: IncomingMessage['headers'];
  }[];
  close(): Promise<void>;
}

export type Handler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void | Promise<void>;

/** A server on loopback whose requests are recorded. */
export const openDouble = async (handle: Handler): Promise<Double> => {
  const seen: Double['seen'] = [];
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    seen.push({
      method: request.method ?? '',
      path: request.url ?? '',
      authorization: request.headers.authorization,
      headers: request.headers,
    });
    await handle(request, response, Buffer.concat(chunks));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
};

export interface RegistryDouble extends Double {
  readonly host: string;
  readonly blobs: Map<string, Buffer>;
  /** `name:tag` -> manifest. */
  readonly manifests: Map<string, Buffer>;
  /** Adds a chart as `helm push` does. */
  push(name: string, version: string, archive: Buffer): void;
}

export interface RegistryOptions {
  /** Asks for a token, given for this login at a place of its own. */
  readonly login?: { readonly username: string; readonly password: string };
  /** Most tags of a page. */
  readonly tagPage?: number;
  /** Where blobs are instead. */
  readonly redirectBlobs?: (digest: string) => string;
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** A registry of the distribution specification 1.1, as far as `helm push`, `helm pull` and readers need it. */
export const openRegistry = async ({ login, tagPage = 1000, redirectBlobs }: RegistryOptions = {}): Promise<RegistryDouble> => {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, Buffer>();
  const uploads = new Map<string, Buffer>();
  const token = `token-${randomBytes(8).toString('hex')}`;
  const json = (response: ServerResponse, status: number, value: object, headers: Record<string, string> = {}): void => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
  };
  const isKnown = (request: IncomingMessage): boolean => login === undefined || request.headers.authorization === `Bearer ${token}`;

  const handle: Handler = (request, response, body) => {
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
    if (url.pathname === '/token') {
      const basic = Buffer.from(`${login?.username}:${login?.password}`).toString('base64');
      return request.headers.authorization === `Basic ${basic}`
        ? json(response, 200, { token, expires_in: 300 })
        : json(response, 401, { errors: [{ code: 'DENIED' }] });
    }
    if (!isKnown(request)) {
      const [, name = ''] = /^\/v2\/(.+)\/(?:tags|manifests|blobs)\//.exec(url.pathname) ?? [];
      const scope = name === '' ? '' : `,scope="repository:${name}:pull"`;
      return json(
        response,
        401,
        { errors: [{ code: 'UNAUTHORIZED' }] },
        { 'www-authenticate': `Bearer realm="${url.origin}/token",service="registry"${scope}` },
      );
    }
    if (url.pathname === '/v2/') return json(response, 200, {});
    const [, name = '', kind = '', rest = ''] = /^\/v2\/(.+?)\/(tags|manifests|blobs)\/(.*)$/.exec(url.pathname) ?? [];
    if (kind === 'tags') return listTags(name, url, response);
    if (kind === 'manifests') return atManifest(name, rest, { request, response, body });
    if (kind === 'blobs' && rest.startsWith('uploads/')) return upload(name, rest.slice(8), url, { request, response, body });
    if (kind === 'blobs') return atBlob(rest, request, response);
    json(response, 404, { errors: [{ code: 'NAME_UNKNOWN' }] });
  };
  const listTags = (name: string, url: URL, response: ServerResponse): void => {
    const all = [...manifests.keys()]
      .filter((key) => key.startsWith(`${name}:`) && !key.includes('sha256:'))
      .map((key) => key.slice(name.length + 1))
      .sort();
    const last = url.searchParams.get('last');
    const from = last === null ? 0 : all.indexOf(last) + 1;
    const tags = all.slice(from, from + Math.min(tagPage, Number(url.searchParams.get('n') ?? tagPage)));
    const isMore = from + tags.length < all.length;
    const link = `</v2/${name}/tags/list?n=${tagPage}&last=${tags.at(-1)}>; rel="next"`;
    json(response, 200, { name, tags }, isMore ? { link } : {});
  };
  const atManifest = (
    name: string,
    reference: string,
    { request, response, body }: { request: IncomingMessage; response: ServerResponse; body: Buffer },
  ): void => {
    if (request.method === 'PUT') {
      const digest = `sha256:${sha256(body)}`;
      manifests.set(`${name}:${reference}`, body);
      manifests.set(`${name}:${digest}`, body);
      response.writeHead(201, { location: `/v2/${name}/manifests/${digest}`, 'docker-content-digest': digest }).end();
      return;
    }
    const found = manifests.get(`${name}:${reference}`);
    if (found === undefined) return void json(response, 404, { errors: [{ code: 'MANIFEST_UNKNOWN' }] });
    const headers = {
      'content-type': MANIFEST,
      'content-length': String(found.length),
      'docker-content-digest': `sha256:${sha256(found)}`,
    };
    response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : found);
  };
  const atBlob = (digest: string, request: IncomingMessage, response: ServerResponse): void => {
    const found = blobs.get(digest);
    if (found === undefined) return void json(response, 404, { errors: [{ code: 'BLOB_UNKNOWN' }] });
    if (redirectBlobs !== undefined && request.method === 'GET') {
      response.writeHead(307, { location: redirectBlobs(digest) }).end();
      return;
    }
    response
      .writeHead(200, {
        'content-type': 'application/octet-stream',
        'content-length': String(found.length),
        'docker-content-digest': digest,
      })
      .end(request.method === 'HEAD' ? undefined : found);
  };
  const upload = (
    name: string,
    id: string,
    url: URL,
    { request, response, body }: { request: IncomingMessage; response: ServerResponse; body: Buffer },
  ): void => {
    if (request.method === 'POST') {
      const made = randomBytes(8).toString('hex');
      uploads.set(made, Buffer.alloc(0));
      response.writeHead(202, { location: `/v2/${name}/blobs/uploads/${made}`, range: '0-0' }).end();
      return;
    }
    const bytes = Buffer.concat([uploads.get(id) ?? Buffer.alloc(0), body]);
    uploads.set(id, bytes);
    const digest = url.searchParams.get('digest');
    if (request.method === 'PATCH' || digest === null) {
      response.writeHead(202, { location: url.pathname, range: `0-${bytes.length - 1}` }).end();
      return;
    }
    if (digest !== `sha256:${sha256(bytes)}`) return void json(response, 400, { errors: [{ code: 'DIGEST_INVALID' }] });
    blobs.set(digest, bytes);
    response.writeHead(201, { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest }).end();
  };
  const double = await openDouble(handle);
  return {
    ...double,
    host: new URL(double.url).host,
    blobs,
    manifests,
    push(name, version, archive) {
      const config = Buffer.from(JSON.stringify({ name, version, apiVersion: 'v2' }));
      const describe = (mediaType: string, bytes: Buffer) => ({ mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length });
      for (const bytes of [config, archive]) blobs.set(`sha256:${sha256(bytes)}`, bytes);
      const manifest = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: MANIFEST,
          config: describe('application/vnd.cncf.helm.config.v1+json', config),
          layers: [describe('application/vnd.cncf.helm.chart.content.v1.tar+gzip', archive)],
        }),
      );
      manifests.set(`${name}:${version.replaceAll('+', '_')}`, manifest);
    },
  };
};
