// Real clients of both library generations, in every negotiation mode, on every transport, against the built program.

import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernHttp,
  SSEClientTransport as ModernSse,
} from '@modelcontextprotocol/client';
import { StdioClientTransport as ModernStdio } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as OldSse } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport as OldStdio } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as OldHttp } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, openCluster, PROGRAM, type Running, startProgram } from '../support/program.ts';

let cluster: Cluster;
let server: Running;
beforeAll(async () => {
  cluster = await openCluster();
  server = await startProgram(['--kubeconfig', cluster.kubeconfig]);
});
afterAll(async () => {
  await server.stop();
  await cluster.close();
});

const toUrl = (path: string): URL => new URL(path, server.url);
const stdio = () => ({
  command: process.execPath,
  args: [PROGRAM, '--kubeconfig', cluster.kubeconfig],
  env: { PATH: process.env['PATH'] ?? '' },
});

interface Session {
  list(): Promise<readonly string[]>;
  call(name: string, args: Record<string, unknown>): Promise<unknown>;
  close(): Promise<void>;
}

const info = { name: 'interop', version: '1.0.0' };

const oldSession = async (transport: OldHttp | OldSse | OldStdio): Promise<Session> => {
  const client = new OldClient(info);
  await client.connect(transport as Parameters<OldClient['connect']>[0]);
  return {
    list: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args) => (await client.callTool({ name, arguments: args })).structuredContent,
    close: () => client.close(),
  };
};

type Negotiation = NonNullable<ConstructorParameters<typeof ModernClient>[1]>['versionNegotiation'];

const newSession = async (transport: ModernHttp | ModernSse | ModernStdio, versionNegotiation?: Negotiation): Promise<Session> => {
  const client = new ModernClient(info, versionNegotiation === undefined ? {} : { versionNegotiation });
  await client.connect(transport);
  return {
    list: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args) => (await client.callTool({ name, arguments: args })).structuredContent,
    close: () => client.close(),
  };
};

const auto: Negotiation = { mode: 'auto' };
const pinned: Negotiation = { mode: { pin: '2026-07-28' } };

const SESSIONS: readonly (readonly [string, () => Promise<Session>])[] = [
  ['v1 client, Streamable HTTP', () => oldSession(new OldHttp(toUrl('/mcp')))],
  ['v1 client, SSE', () => oldSession(new OldSse(toUrl('/api/aggregate/sse')))],
  ['v1 client, stdio', () => oldSession(new OldStdio(stdio()))],
  ['v2 client by default, Streamable HTTP', () => newSession(new ModernHttp(toUrl('/mcp')))],
  ['v2 client by default, SSE', () => newSession(new ModernSse(toUrl('/api/kubernetes/sse')))],
  ['v2 client by default, stdio', () => newSession(new ModernStdio(stdio()))],
  ['v2 client negotiating, Streamable HTTP', () => newSession(new ModernHttp(toUrl('/mcp')), auto)],
  ['v2 client negotiating, stdio', () => newSession(new ModernStdio(stdio()), auto)],
  ['v2 client pinned to 2026-07-28, Streamable HTTP', () => newSession(new ModernHttp(toUrl('/api/aggregate/streamable-http')), pinned)],
  ['v2 client pinned to 2026-07-28, stdio', () => newSession(new ModernStdio(stdio()), pinned)],
];

describe('clients', () => {
  it.each(SESSIONS)('%s lists and calls (SEED-ARCH-02, SEED-HTTP-01, SEED-GOAL-02)', async (_, open) => {
    const session = await open();
    const names = await session.list();
    expect(names).toContain('kubernetes_list_resources');
    const answer = await session.call('kubernetes_list_resources', { kind: 'deployments', namespace: 'shop', view: 'names' });
    expect(answer).toMatchObject({ cluster: 'demo', names: ['cart', 'catalog', 'checkout', 'email', 'payment', 'recommendation', 'web'] });
    const refused = await session.call('kubernetes_list_resources', { kind: 'podz' });
    expect(refused).toMatchObject({ error: { code: 'INVALID_ARGUMENT' } });
    await session.close();
  });
});
