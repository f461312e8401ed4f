/** A small client of the Kubernetes API for tests: requests and watches with the rights of one kubeconfig. */
import { readFileSync } from 'node:fs';
import { Agent, fetch } from 'undici';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Json } from '../backend.ts';

const kubeconfig = z.object({
  clusters: z.array(z.object({ cluster: z.object({ server: z.string(), 'certificate-authority-data': z.string().optional() }) })).length(1),
  users: z
    .array(
      z.object({
        user: z.object({
          token: z.string().optional(),
          'client-certificate-data': z.string().optional(),
          'client-key-data': z.string().optional(),
        }),
      }),
    )
    .length(1),
});

export interface ApiAnswer {
  readonly status: number;
  readonly text: string;
}

export interface ApiRequest {
  readonly method?: string;
  readonly body?: Json | string;
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
}

/** An error answer of the API server. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** One user's way to one API server; owns its connections until `close`. */
export class KubernetesApi {
  readonly server: string;
  readonly #headers: Record<string, string>;
  readonly #agent: Agent;

  constructor(kubeconfigFile: string) {
    const { clusters, users } = kubeconfig.parse(parse(readFileSync(kubeconfigFile, 'utf8')));
    const [cluster, user] = [clusters[0]?.cluster, users[0]?.user];
    const decode = (data: string | undefined) => (data === undefined ? undefined : Buffer.from(data, 'base64'));
    this.server = cluster?.server ?? '';
    this.#headers = user?.token === undefined ? {} : { authorization: `Bearer ${user.token}` };
    const tls = {
      ca: decode(cluster?.['certificate-authority-data']),
      cert: decode(user?.['client-certificate-data']),
      key: decode(user?.['client-key-data']),
    };
    this.#agent = new Agent({ connect: tls, connections: 16, bodyTimeout: 0 });
  }

  /** Asks and gives the answer, whatever its status. */
  async request(path: string, request: ApiRequest = {}): Promise<ApiAnswer> {
    const response = await this.#fetch(path, request);
    return { status: response.status, text: await response.text() };
  }

  /** Asks for JSON; an error status throws `ApiError`. */
  async json(path: string, request: ApiRequest = {}): Promise<Json> {
    const { status, text } = await this.request(path, request);
    if (status >= 400) throw new ApiError(status, `${request.method ?? 'GET'} ${path}: ${status} ${text.slice(0, 500)}`);
    const value: Json = JSON.parse(text);
    return value;
  }

  /**
   * Watches a collection (path with query) until `done` says true of an object, and gives that object. Objects that are there already
   * are seen first. Fails after `seconds`.
   */
  async watchUntil(path: string, done: (object: Json, type: string) => boolean, seconds = 60): Promise<Json> {
    const overdue = AbortSignal.timeout(seconds * 1000);
    let last: Json = null;
    try {
      while (true) {
        // The server ends a watch now and then (that of a definition that just appeared, for one): begin again, objects come again.
        for await (const event of this.#watch(path, overdue)) {
          last = at(event, 'object') ?? null;
          if (done(last, textAt(event, 'type'))) return last;
        }
      }
    } catch (error) {
      if (!overdue.aborted) throw error;
      throw new Error(`${path}: not reached in ${seconds} s; last seen: ${JSON.stringify(at(last, 'status') ?? last)}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async *#watch(path: string, overdue: AbortSignal): AsyncGenerator<Json> {
    const left = new AbortController();
    const signal = AbortSignal.any([overdue, left.signal]);
    try {
      const response = await this.#fetch(`${path}${path.includes('?') ? '&' : '?'}watch=1`, { signal });
      if (response.status >= 400 || response.body === null) throw new ApiError(response.status, await response.text());
      let rest = '';
      for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
        const lines = `${rest}${text}`.split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) yield JSON.parse(line);
      }
    } finally {
      left.abort();
    }
  }

  #fetch(path: string, { method, body, contentType, accept, signal }: ApiRequest) {
    const type = contentType ?? (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json');
    return fetch(new URL(path, this.server), {
      dispatcher: this.#agent,
      method: method ?? 'GET',
      headers: { accept: accept ?? 'application/json', ...this.#headers, ...(body === undefined ? {} : { 'content-type': type }) },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      ...(signal && { signal }),
    });
  }
}

/** The value at a path inside JSON; undefined if there is none. */
export function at(value: Json | undefined, ...path: readonly (string | number)[]): Json | undefined {
  return path.reduce<Json | undefined>((here, step) => {
    if (Array.isArray(here)) return here.at(Number(step));
    return typeof here === 'object' && here !== null ? here[step] : undefined;
  }, value);
}

/** The text at a path inside JSON; empty if there is none. */
export function textAt(value: Json | undefined, ...path: readonly (string | number)[]): string {
  const found = at(value, ...path);
  return found === undefined || found === null ? '' : typeof found === 'object' ? JSON.stringify(found) : String(found);
}

/** The list at a path inside JSON; empty if there is none. */
export function listAt(value: Json | undefined, ...path: readonly (string | number)[]): Json[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}
