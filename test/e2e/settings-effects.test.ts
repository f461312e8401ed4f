// Keys that have no other test: each changes what a client or an operator sees (SEED-CONF-02).

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, openCluster, type Running, runProgram, startProgram } from '../support/program.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster();
});
afterAll(() => cluster.close());

const JSON_HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

/** A server with these variables; `post` sends one JSON-RPC request. */
const withServer = async <Result>(
  env: Readonly<Record<string, string>>,
  use: (post: (path: string, body: unknown, headers?: Record<string, string>) => Promise<Response>, server: Running) => Promise<Result>,
): Promise<Result> => {
  const server = await startProgram(['--kubeconfig', cluster.kubeconfig], env);
  try {
    return await use(
      (path, body, headers = {}) =>
        fetch(server.url + path, {
          method: 'POST',
          headers: { ...JSON_HEADERS, ...headers },
          body: typeof body === 'string' ? body : JSON.stringify(body),
        }),
      server,
    );
  } finally {
    await server.stop();
  }
};

const list = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} };
const call = (name: string, args: object) => ({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } });

describe('settings of the doors', () => {
  it('server.ssePaths, streamableHttpPaths, httpPaths move a route (MCP_*_PATH_<SERVICE>)', () =>
    withServer(
      { MCP_SSE_PATH_KUBERNETES: '/k/sse', MCP_STREAMABLE_HTTP_PATH_KUBERNETES: '/k/stream', MCP_HTTP_PATH_KUBERNETES: '/k/http' },
      async (post, { url }) => {
        expect([(await post('/k/http', list)).status, (await post('/k/stream', list)).status]).toEqual([200, 200]);
        expect((await post('/api/kubernetes/http', list)).status).toBe(404);
        const leave = new AbortController();
        const stream = await fetch(`${url}/k/sse`, { signal: leave.signal });
        expect([stream.status, stream.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
        leave.abort();
      },
    ));

  it('two equal routes stop the start', async () => {
    const told = await runProgram(['--addr', '127.0.0.1:0', '--kubeconfig', cluster.kubeconfig], {
      MCP_SSE_PATH_KUBERNETES: '/same',
      MCP_HTTP_PATH_KUBERNETES: '/same',
    });
    expect(told).toMatchObject({ code: 2, stderr: expect.stringContaining('Two routes have the path /same') });
  });

  it('server.maxBodyBytes, limits.maxJsonDepth and limits.maxJsonElements bound a request', () =>
    withServer({ MCP_MAX_BODY_BYTES: '1024', MCP_MAX_JSON_DEPTH: '8', MCP_MAX_JSON_ELEMENTS: '100' }, async (post) => {
      const path = '/api/kubernetes/http';
      expect((await post(path, list)).status).toBe(200);
      expect((await post(path, { ...list, pad: 'x'.repeat(1100) })).status).toBe(413);
      expect((await post(path, `{"a":${'['.repeat(12)}${']'.repeat(12)}}`)).status).toBe(413);
      expect((await post(path, `{"a":[${'1,'.repeat(150)}1]}`)).status).toBe(413);
    }));

  it('ratelimit.requests_per_second, burst and requests_per_day bound a caller', async () => {
    const statuses = (env: Record<string, string>) =>
      withServer(env, async (post) => {
        const found: number[] = [];
        for (let count = 0; count < 4; count += 1) found.push((await post('/api/kubernetes/http', list)).status);
        return found;
      });
    expect(await statuses({ MCP_RATE_LIMIT_BURST: '2', MCP_RATELIMIT_REQUESTS_PER_SECOND: '0.001' })).toEqual([200, 200, 429, 429]);
    expect(await statuses({ MCP_RATELIMIT_REQUESTS_PER_DAY: '3' })).toEqual([200, 200, 200, 429]);
    expect(await statuses({ MCP_RATELIMIT_ENABLED: 'no', MCP_RATELIMIT_REQUESTS_PER_DAY: '3' })).toEqual([200, 200, 200, 200]);
  });

  it('performance.compression_enabled packs answers, or does not', async () => {
    const encoding = (env: Record<string, string>) =>
      withServer(env, async (post) =>
        (await post('/api/kubernetes/http', list, { 'accept-encoding': 'gzip' })).headers.get('content-encoding'),
      );
    expect(await encoding({})).toBe('gzip');
    expect(await encoding({ MCP_COMPRESSION_ENABLED: 'off' })).toBe(null);
  });

  it('server.allowedHosts says which names are answered', () =>
    withServer({ MCP_ALLOWED_HOSTS: 'mcp.example.com' }, async (post) => {
      expect((await post('/api/kubernetes/http', list)).status).toBe(403);
    }));

  it('security.allowUnauthenticated is consent to an open listener', async () => {
    const server = await startProgram(['--addr', '0.0.0.0:0', '--kubeconfig', cluster.kubeconfig], { MCP_ALLOW_UNAUTHENTICATED: 'true' });
    expect((await fetch(`http://127.0.0.1:${new URL(server.url).port}/health`)).status).toBe(200);
    await server.stop();
  });
});

describe('settings of calls', () => {
  const tokens = (env: Record<string, string>, args: object = {}) =>
    withServer(
      env,
      async (post) =>
        (await (await post('/api/kubernetes/http', call('kubernetes_list_resources', { kind: 'pods', limit: 50, ...args }))).text()).length,
    );

  it('output.maxTokens is the usual size of an answer, output.maxTokensCeiling what may be asked for', async () => {
    const [usual, small, asked, capped] = await Promise.all([
      tokens({}),
      tokens({ MCP_OUTPUT_MAX_TOKENS: '300' }),
      tokens({ MCP_OUTPUT_MAX_TOKENS: '300' }, { maxTokens: 4000 }),
      tokens({ MCP_OUTPUT_MAX_TOKENS: '300', MCP_OUTPUT_MAX_TOKENS_CEILING: '300' }, { maxTokens: 4000 }),
    ]);
    expect([small < usual * 0.7, asked > small * 1.3, capped < usual * 0.7]).toEqual([true, true, true]);
  });
});

describe('services by configuration (SEED-CONF-02)', () => {
  const names = (env: Record<string, string>) =>
    withServer(env, async (post, { url }) => {
      const reply = await post('/api/aggregate/http', list);
      const tools = ((await reply.json()) as { result: { tools: { name: string }[] } }).result.tools.map(({ name }) => name.split('_')[0]);
      const routes = await Promise.all(
        ['platform', 'kubernetes', 'helm'].map(
          async (name) => (await fetch(`${url}/api/${name}/http`, { method: 'OPTIONS' })).status !== 404,
        ),
      );
      return { services: [...new Set(tools)].sort(), routes };
    });

  it('kubernetes.enabled, helm.enabled and platform.enabled switch tools and routes off', async () => {
    expect(await names({})).toEqual({ services: ['helm', 'kubernetes', 'platform'], routes: [true, true, true] });
    expect(await names({ MCP_K8S_ENABLED: 'false' })).toEqual({ services: ['platform'], routes: [true, false, false] });
    expect(await names({ MCP_PLATFORM_ENABLED: 'false' })).toEqual({ services: ['helm', 'kubernetes'], routes: [false, true, true] });
    expect(await names({ MCP_HELM_ENABLED: 'false' })).toEqual({ services: ['kubernetes', 'platform'], routes: [true, true, false] });
  });

  it('enableDisable.disabledServices wins; names of services that are not here open nothing', async () => {
    expect(await names({ MCP_ENABLED_SERVICES: 'kubernetes', MCP_DISABLED_SERVICES: 'kubernetes' })).toMatchObject({
      services: ['platform'],
    });
    expect(await names({ MCP_ENABLED_SERVICES: 'grafana' })).toMatchObject({ services: ['platform'] });
  });
});
