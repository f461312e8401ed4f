// For tests: requests as they are written, from any loopback address, with headers of any kind, doubled ones too.

import { type RequestOptions, request } from 'node:http';
import { request as requestTls } from 'node:https';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface Sending {
  readonly method?: string;
  /** A list repeats the header. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  /** A source address, such as 127.0.0.9. */
  readonly from?: string;
  /** Keys, certificates and the like of a TLS connection. */
  readonly tls?: RequestOptions & { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

/** Sends and reads the whole answer. */
export const send = (url: string, { method = 'GET', headers = {}, body, from, tls }: Sending = {}): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const { protocol, hostname, port, pathname, search } = new URL(url);
    const options = { hostname, port, path: `${pathname}${search}`, method, headers: headers as never, agent: false as const, ...tls };
    const sent = (protocol === 'https:' ? requestTls : request)(
      from === undefined ? options : { ...options, localAddress: from },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      },
    );
    sent.once('error', reject);
    sent.end(body);
  });

/** One JSON-RPC request over the plain HTTP family. */
export const sendRpc = (url: string, method: string, params: object = {}, { headers = {}, ...more }: Sending = {}): Promise<Reply> =>
  send(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    ...more,
  });

export const errorOf = ({ body }: Reply): { code?: string; message?: string; details?: Record<string, unknown> } =>
  (JSON.parse(body) as { error?: object }).error ?? {};
