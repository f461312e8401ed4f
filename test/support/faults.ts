// For tests: an API server that misbehaves on chosen paths and is the embedded shop on all others.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { createEmbeddedKubernetes } from '../../src/embedded/kubernetes/index.ts';
import { openApp, type Shop } from './shop.ts';

export type Fault = (response: ServerResponse, request: IncomingMessage) => void;

export interface FaultyShop extends Omit<Shop, 'embedded'> {
  /** Answers requests whose path matches; undefined = the shop again. */
  inject(matches: RegExp, fault: Fault | undefined): void;
  /** Requests that matched, and those whose socket the client closed before the answer. */
  readonly seen: { count: number; abandoned: number };
}

/** A token that must never be seen in an answer or a log. */
export const CANARY_TOKEN = 'canary-token-5f1c9e7a';

export const openFaultyShop = async (flags: Readonly<Record<string, unknown>> = {}): Promise<FaultyShop> => {
  const embedded = createEmbeddedKubernetes();
  const pass = getRequestListener(
    async (request) => {
      const headers = new Headers([...request.headers].filter(([name]) => name !== 'content-length' && name !== 'connection'));
      headers.set('authorization', `Bearer ${embedded.token('admin')}`);
      const body = request.method === 'GET' ? undefined : await request.text();
      return embedded.handle(new Request(request.url, { method: request.method, headers, ...(body === undefined ? {} : { body }) }));
    },
    { overrideGlobalObjects: false },
  );
  const seen = { count: 0, abandoned: 0 };
  let matches: RegExp | undefined;
  let fault: Fault | undefined;
  const server = createServer((request, response) => {
    if (fault === undefined || matches === undefined || !matches.test(request.url ?? '')) return void pass(request, response);
    seen.count += 1;
    response.once('close', () => {
      if (!response.writableFinished) seen.abandoned += 1;
    });
    fault(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const folder = await mkdtemp(join(tmpdir(), 'faults-'));
  const kubeconfig = join(folder, 'kubeconfig');
  const cluster = { server: `http://127.0.0.1:${port}` };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'faulty',
    clusters: [{ name: 'faulty', cluster }],
    users: [{ name: 'tester', user: { token: CANARY_TOKEN } }],
    contexts: [{ name: 'faulty', context: { cluster: 'faulty', user: 'tester', namespace: 'shop' } }],
  };
  await writeFile(kubeconfig, JSON.stringify(config));
  const opened = await openApp({
    'kubernetes.kubeconfig': kubeconfig,
    'kubernetes.timeoutSec': 2,
    'kubernetes.retries': 0,
    'timeouts.callSec': 5,
    ...flags,
  });
  return {
    ...opened,
    seen,
    inject(pattern, next) {
      matches = pattern;
      fault = next;
      seen.count = 0;
      seen.abandoned = 0;
    },
    async close() {
      await opened.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await embedded.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
};

/** A Status as the API server sends it. */
export const status =
  (code: number, reason: string, message: string, extra: object = {}): Fault =>
  (response) => {
    response.writeHead(code, { 'content-type': 'application/json', ...(code === 429 ? { 'retry-after': '7' } : {}) });
    response.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message, ...extra }));
  };
