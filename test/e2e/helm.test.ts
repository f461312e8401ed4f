// Helm through the front door: the built program over HTTP, a real MCP client, the embedded shop.

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, openCluster, type Running, startProgram } from '../support/program.ts';

let cluster: Cluster;
let server: Running;
let client: Client;

beforeAll(async () => {
  cluster = await openCluster();
  server = await startProgram(['--mode', 'http', '--kubeconfig', cluster.kubeconfig]);
  client = new Client({ name: 'helm-test', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${server.url}/api/helm/http`)));
});
afterAll(async () => {
  await client.close();
  await server.stop();
  await cluster.close();
});

type Result = { structuredContent?: Record<string, unknown>; isError?: boolean; content: { text?: string }[] };
const call = async (name: string, args: object): Promise<Result> =>
  (await client.callTool({ name, arguments: args as Record<string, unknown> })) as unknown as Result;

describe('Helm over MCP (SEED-SVC-HELM)', () => {
  it('offers its read tools on its own route', async () => {
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name).filter((name) => name.startsWith('helm_'))).toEqual([
      'helm_get_chart',
      'helm_get_release',
      'helm_list_releases',
      'helm_render_chart',
      'helm_search_charts',
    ]);
  });

  it('finds the release of the incident, and what it changed', async () => {
    const { structuredContent } = await call('helm_get_release', { name: 'payment', namespace: 'shop' });
    expect(structuredContent).toMatchObject({
      revision: 8,
      problems: [{ problem: expect.stringContaining('Deployment/payment is not ready') }],
    });
    const diff = await call('helm_get_release', { name: 'payment', namespace: 'shop', view: 'diff' });
    expect(diff.content[0]?.text).toMatch(/config\.dbPoolSize +20 +2/);
    expect(JSON.stringify(diff)).not.toContain('canary-');
  });

  it('reads a part of a release as a resource, and completes its names', async () => {
    const { contents } = await client.readResource({ uri: 'helm://demo/shop/payment/latest/values' });
    expect(JSON.stringify(contents)).toContain('dbPoolSize');
    const { completion } = await client.complete({
      ref: { type: 'ref/resource', uri: 'helm://{cluster}/{namespace}/{release}/{revision}/{part}' },
      argument: { name: 'release', value: 'pay' },
      context: { arguments: { namespace: 'shop' } },
    });
    expect(completion.values).toEqual(['payment']);
  });

  it('has a playbook, also under its old name', async () => {
    const { messages } = await client.getPrompt({ name: 'helm_release_diagnosis', arguments: { release: 'payment', namespace: 'shop' } });
    expect(JSON.stringify(messages)).toContain('view=diff');
  });

  it('refuses with words that mend the call', async () => {
    const failed = await call('helm_get_release', { name: 'paymnt', namespace: 'shop' });
    expect([failed.isError, failed.content[0]?.text]).toEqual([true, expect.stringContaining('There is no release paymnt')]);
  });
});
