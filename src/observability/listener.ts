// A listener of its own for /metrics: for scrapers that must not reach the main one, and for stdio.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AppError } from '../kit/errors.ts';
import type { Exposition } from './exposition.ts';

export interface MetricsListener {
  readonly url: string;
  close(): Promise<void>;
}

const TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 32;

const split = (address: string): { host: string; port: number } => {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replace(/^\[|\]$/g, '') || '0.0.0.0', port: Number(address.slice(at + 1)) };
};

/** Answers GET and HEAD /metrics and nothing else. Throws INVALID_ARGUMENT when the address cannot be had. */
export const openMetricsListener = async (address: string, exposition: Exposition): Promise<MetricsListener> => {
  const server = createServer({ requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS }, async (request, response) => {
    const path = request.url?.split('?', 1)[0];
    if (path !== '/metrics') return void response.writeHead(404).end();
    if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405, { allow: 'GET, HEAD' }).end();
    const text = await exposition.text();
    response.writeHead(200, { 'content-type': exposition.contentType, 'content-length': Buffer.byteLength(text) });
    response.end(request.method === 'HEAD' ? undefined : text);
  });
  server.maxConnections = MAX_CONNECTIONS;
  const { host, port } = split(address);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new AppError('INVALID_ARGUMENT', `Cannot listen for metrics on ${address}: ${cause.code ?? 'refused'}.`, {
          details: { key: 'metrics.addr' },
          cause,
        }),
      ),
    );
    server.listen(port, host, resolve);
  });
  // On stdio the process ends with its client, whoever still scrapes.
  server.unref();
  const bound = server.address() as AddressInfo;
  return {
    url: `http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
