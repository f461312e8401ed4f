// Answers: JSON as the server writes it (one line, or indented for browsers and curl), YAML, gzip for large bodies.
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { toBlockYaml } from './block-yaml.ts';
import { isObject, type Json, type JsonObject, parseJson } from './json.ts';
import type { Representation } from './negotiation.ts';
import { StatusError } from './status.ts';

const compress = promisify(gzip);

/** Below this size the server does not compress. */
const GZIP_FROM_BYTES = 128 * 1024;

export const PLAIN: Representation = { format: 'json', view: 'object', viewVersion: 'v1', isPretty: false, discovery: undefined };

interface RespondOptions {
  readonly status?: number;
  readonly representation?: Representation;
  readonly headers?: Readonly<Record<string, string>>;
  readonly contentType?: string;
}

/** YAML as the server makes it: keys sorted, because it goes through a map. */
const toYaml = (text: string): string => toBlockYaml(sorted(parseJson(text)));

const sorted = (value: Json | undefined): Json => {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value ?? null;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.sort(([left], [right]) => (left < right ? -1 : 1)).map(([key, item]) => [key, sorted(item)]));
};

const write = (json: string, { format, isPretty }: Representation): string => {
  if (format === 'yaml') return toYaml(json);
  return isPretty ? JSON.stringify(parseJson(json), null, 2) : `${json}\n`;
};

/** Answers JSON text in the form that was negotiated. */
export const respondText = async (request: Request, json: string, options: RespondOptions = {}): Promise<Response> => {
  const { status = 200, representation = PLAIN, headers = {}, contentType } = options;
  const body = write(json, representation);
  const type = contentType ?? (representation.format === 'yaml' ? 'application/yaml' : 'application/json');
  const common = { 'cache-control': 'no-cache, private', 'content-type': type, ...headers };
  const accepts = (request.headers.get('accept-encoding') ?? '').split(',').some((coding) => coding.trim().split(';')[0] === 'gzip');
  if (!accepts || body.length < GZIP_FROM_BYTES) return new Response(body, { status, headers: common });
  const packed = await compress(body, { level: 1 });
  return new Response(new Uint8Array(packed), { status, headers: { ...common, 'content-encoding': 'gzip', vary: 'Accept-Encoding' } });
};

export const respond = (request: Request, body: JsonObject, options: RespondOptions = {}): Promise<Response> =>
  respondText(request, JSON.stringify(body), options);

export const respondPlain = (text: string, status = 200): Response =>
  new Response(text, {
    status,
    headers: { 'cache-control': 'no-cache, private', 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
  });

/** The path is not known at all: the server's router answers in plain text. */
export const pageNotFound = (): Response => respondPlain('404 page not found\n', 404);

/** A failure as its Status; what was not foreseen is a 500 of the same shape. */
export const respondFailure = (request: Request, thrown: unknown, representation: Representation = PLAIN): Promise<Response> => {
  const error =
    thrown instanceof StatusError
      ? thrown
      : new StatusError(500, 'InternalError', `Internal error occurred: ${thrown instanceof Error ? thrown.message : String(thrown)}`, {
          details: { causes: [{ message: thrown instanceof Error ? thrown.message : String(thrown) }] },
        });
  const retryAfter = error.details?.retryAfterSeconds;
  const headers: Record<string, string> = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
  return respond(request, error.toStatus(), { status: error.code, representation: { ...representation, view: 'object' }, headers });
};
