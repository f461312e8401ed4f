// What no well-behaved server does on demand: old forms of discovery, lost versions, broken watches, pages where text should be.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createUpstream } from '../http.ts';
import { createToKubeError } from '../kube.ts';
import { createSlots } from '../slots.ts';
import { failureOf } from './client.suite.ts';
import { createKubernetesClient, type KubernetesClient } from './client.ts';
import { nameOf } from './objects.ts';
import { RESOURCES } from './resources.ts';
import type { WatchEvent } from './watch.ts';

const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const signal = new AbortController().signal;
const running: { server: Server; client: KubernetesClient }[] = [];

afterEach(async () => {
  for (const { server, client } of running.splice(0)) {
    await client.close();
    server.closeAllConnections();
    server.close();
  }
});

type Script = (request: IncomingMessage, response: ServerResponse, url: URL) => unknown;

/** A client of a server that answers by script; what the script does not expect fails the test. */
const connect = async (script: Script, { now = Date.now }: { now?: () => number } = {}) => {
  const paths: string[] = [];
  const unexpected: string[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://server');
    paths.push(`${request.method} ${url.pathname}${url.search}`);
    if (script(request, response, url) !== undefined) return;
    unexpected.push(`${request.method} ${request.url}`);
    response.writeHead(404).end('404 page not found');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const upstream = createUpstream({
    service: 'kubernetes',
    title: 'Kubernetes',
    baseUrl,
    now,
    logger,
    retries: 0,
    toError: createToKubeError({ service: 'kubernetes' }),
  });
  const target = { name: 'test', server: '', namespace: 'shop', cluster: 'c', user: 'u', source: '' };
  const client = createKubernetesClient({ target, upstream, longReads: createSlots(4), now });
  running.push({ server, client });
  return { client, paths, unexpected };
};

const send = (
  response: ServerResponse,
  body: unknown,
  { status = 200, headers = {} }: { status?: number; headers?: Record<string, string | string[]> } = {},
) => response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

const fail = (response: ServerResponse, code: number, status: object = {}) =>
  send(response, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code, ...status }, { status: code });

const list = (items: readonly unknown[], metadata: object = {}) => ({
  kind: 'List',
  apiVersion: 'v1',
  metadata: { resourceVersion: '10', ...metadata },
  items,
});
const pod = (name: string, resourceVersion = '1') => ({ metadata: { name, namespace: 'shop', resourceVersion } });

const group = (name: string, resources: readonly [string, string][], more: object = {}) => ({
  metadata: name === '' ? {} : { name },
  versions: [
    {
      version: 'v1',
      resources: resources.map(([resource, kind]) => ({
        resource,
        responseKind: { group: '', version: '', kind },
        scope: 'Namespaced',
        singularResource: kind.toLowerCase(),
        verbs: ['get', 'list'],
      })),
      ...more,
    },
  ],
});
const aggregated = (...items: readonly unknown[]) => ({ kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2', items });

describe('discovery', () => {
  it('asks for both versions of the aggregated form, once for all who wait, and keeps the answer', async () => {
    const { client, paths } = await connect((request, response, url) => {
      expect(request.headers.accept).toBe(
        'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json',
      );
      return send(
        response,
        url.pathname === '/api' ? aggregated(group('', [['pods', 'Pod']])) : aggregated(group('apps', [['deployments', 'Deployment']])),
      );
    });
    await Promise.all([
      client.resolveKind('pods', { signal }),
      client.resolveKind('deployments', { signal }),
      client.discovery({ signal }),
    ]);
    await client.resolveKind('Pod', { signal });
    expect(paths.sort()).toEqual(['GET /api', 'GET /apis']);
  });

  it('looks once whether an unknown kind is new, at most every two seconds', async () => {
    let time = 0;
    const groups = [group('apps', [['deployments', 'Deployment']])];
    const { client, paths } = await connect(
      (_, response, url) => send(response, url.pathname === '/api' ? aggregated() : aggregated(...groups)),
      { now: () => time },
    );
    expect((await failureOf(client.resolveKind('widgets', { signal }))).code).toBe('INVALID_ARGUMENT');
    expect(paths).toHaveLength(2);
    groups.push(group('example.com', [['widgets', 'Widget']]));
    time = 1000;
    expect((await failureOf(client.resolveKind('widgets', { signal }))).code).toBe('INVALID_ARGUMENT');
    expect(paths).toHaveLength(2);
    time = 3000;
    expect((await client.resolveKind('widgets', { signal })).resource.group).toBe('example.com');
    expect(paths).toHaveLength(4);
  });

  it('asks again after ten minutes, sooner while an API is missing', async () => {
    let time = 0;
    let freshness = 'Stale';
    const script: Script = (_, response, url) =>
      send(response, url.pathname === '/api' ? aggregated() : aggregated(group('metrics.k8s.io', [['pods', 'PodMetrics']], { freshness })));
    const { client, paths } = await connect(script, { now: () => time });
    expect((await client.discovery({ signal })).unavailable).toMatchObject([{ group: 'metrics.k8s.io', version: 'v1' }]);
    expect((await failureOf(client.resolveKind('nothing', { signal }))).message).toContain(
      'an API that does not answer now: metrics.k8s.io/v1.',
    );
    freshness = 'Current';
    time = 31_000;
    expect((await client.discovery({ signal })).unavailable).toEqual([]);
    const asked = paths.length;
    time += 9 * 60_000;
    await client.discovery({ signal });
    expect(paths).toHaveLength(asked);
    time += 61_000;
    await client.discovery({ signal });
    expect(paths).toHaveLength(asked + 2);
  });

  it('does not remember a failure', async () => {
    let isUp = false;
    const { client } = await connect((_, response) =>
      isUp ? send(response, aggregated(group('', [['pods', 'Pod']]))) : fail(response, 503),
    );
    expect((await failureOf(client.resolveKind('pods', { signal }))).code).toBe('SERVICE_UNAVAILABLE');
    isUp = true;
    expect((await client.resolveKind('pods', { signal })).resource.kind).toBe('Pod');
  });

  it('reads the older form group by group, and reports the groups that fail', async () => {
    const verbs = ['get', 'list'];
    const bodies: Record<string, unknown> = {
      '/api': { kind: 'APIVersions', versions: ['v1'] },
      '/api/v1': {
        kind: 'APIResourceList',
        resources: [
          { name: 'pods', singularName: 'pod', namespaced: true, kind: 'Pod', verbs, shortNames: ['po'], categories: ['all'] },
          { name: 'pods/log', singularName: '', namespaced: true, kind: 'Pod', verbs: ['get'] },
        ],
      },
      '/apis': {
        kind: 'APIGroupList',
        groups: [
          { name: 'autoscaling', versions: [{ version: 'v1' }, { version: 'v2' }], preferredVersion: { version: 'v2' } },
          { name: 'metrics.k8s.io', versions: [{ version: 'v1beta1' }], preferredVersion: { version: 'v1beta1' } },
        ],
      },
      '/apis/autoscaling/v1': {
        kind: 'APIResourceList',
        resources: [{ name: 'horizontalpodautoscalers', kind: 'HorizontalPodAutoscaler', namespaced: true, verbs, shortNames: ['hpa'] }],
      },
      '/apis/autoscaling/v2': {
        kind: 'APIResourceList',
        resources: [{ name: 'horizontalpodautoscalers', kind: 'HorizontalPodAutoscaler', namespaced: true, verbs, shortNames: ['hpa'] }],
      },
    };
    const { client, unexpected } = await connect((_, response, url) => {
      if (url.pathname.startsWith('/apis/metrics')) return fail(response, 503);
      return bodies[url.pathname] === undefined ? undefined : send(response, bodies[url.pathname]);
    });
    expect((await client.resolveKind('hpa', { signal })).resource).toMatchObject({ group: 'autoscaling', version: 'v2' });
    expect(await client.resolveKind('po/log', { signal })).toMatchObject({
      subresource: 'log',
      resource: { categories: ['all'], subresources: [{ name: 'log', verbs: ['get'] }] },
    });
    expect((await client.discovery({ signal })).unavailable).toMatchObject([{ group: 'metrics.k8s.io', version: 'v1beta1' }]);
    expect(unexpected).toEqual([]);
  });

  it('lets built-in groups win and asks about the others', async () => {
    const groups = [
      group('networking.k8s.io', [['ingresses', 'Ingress']]),
      group('a.example', [
        ['ingresses', 'Ingress'],
        ['routes', 'Route'],
      ]),
      group('b.example', [['routes', 'Route']]),
    ];
    const { client } = await connect((_, response, url) => send(response, url.pathname === '/api' ? aggregated() : aggregated(...groups)));
    expect((await client.resolveKind('ingress', { signal })).resource.group).toBe('networking.k8s.io');
    expect((await client.resolveKind('ingress.a.example', { signal })).resource.group).toBe('a.example');
    expect(await failureOf(client.resolveKind('routes', { signal }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { reason: 'AMBIGUOUS', choices: ['a.example/v1/Route', 'b.example/v1/Route'] },
    });
    expect((await client.resolveKind('b.example/v1/route', { signal })).resource.group).toBe('b.example');
  });
});

describe('lists', () => {
  it('goes on inconsistently where the server offers it, and says so', async () => {
    const { client } = await connect((_, response, url) => {
      const token = url.searchParams.get('continue');
      if (token === null) return send(response, list([pod('a')], { continue: 'old' }));
      if (token === 'old') return fail(response, 410, { reason: 'Expired', metadata: { continue: 'fresh' } });
      return send(response, list([pod('b')]));
    });
    const page = await client.listAll(RESOURCES.pods, { signal, pageSize: 1 });
    expect([page.items.map(nameOf), page.isInconsistent]).toEqual([['a', 'b'], true]);
    expect((await failureOf(client.list(RESOURCES.pods, { signal, continue: 'old' }))).code).toBe('CURSOR_EXPIRED');
  });

  it('makes a table for servers that make none', async () => {
    const { client } = await connect((_, response) =>
      send(response, list([{ metadata: { name: 'a', creationTimestamp: '2026-01-01T00:00:00Z' } }])),
    );
    const { columns, rows } = await client.listTable(RESOURCES.pods, { signal });
    expect(columns.map(({ name }) => name)).toEqual(['Name', 'Created At']);
    expect(rows[0]).toMatchObject({ cells: ['a', '2026-01-01T00:00:00Z'], object: { kind: 'Pod' } });
  });

  it('passes warnings on, and refuses what is no list', async () => {
    const headers = { warning: ['299 - "v1 is \\"old\\""', '299 - "second"'] };
    const { client } = await connect((_, response, url) =>
      url.pathname.endsWith('/pods') ? send(response, list([]), { headers }) : send(response, { kind: 'Other' }),
    );
    expect((await client.list(RESOURCES.pods, { signal })).warnings).toEqual(['v1 is "old"', 'second']);
    expect((await failureOf(client.list(RESOURCES.nodes, { signal }))).code).toBe('DATA_ERROR');
  });
});

describe('watch', () => {
  const event = (type: string, object: unknown) => `${JSON.stringify({ type, object })}\n`;
  const take = async (events: AsyncIterable<WatchEvent>, count: number): Promise<string[]> => {
    const seen: string[] = [];
    for await (const one of events) {
      seen.push(
        one.type === 'STATE'
          ? `STATE ${one.items.map(nameOf).join(',')}`
          : one.type === 'BOOKMARK'
            ? `BOOKMARK ${one.resourceVersion}`
            : `${one.type} ${nameOf(one.object)}`,
      );
      if (seen.length === count) break;
    }
    return seen;
  };

  it('gives the state, then changes; goes on from the last version when the server ends it', async () => {
    const from: (string | null)[] = [];
    const { client } = await connect((_, response, url) => {
      if (url.searchParams.get('watch') !== 'true') return send(response, list([pod('a')]));
      from.push(url.searchParams.get('resourceVersion'));
      if (from.length === 1) return response.end(event('ADDED', pod('b', '11')) + event('MODIFIED', pod('b', '12')));
      if (from.length === 2) return response.end(event('BOOKMARK', { metadata: { resourceVersion: '20' } }));
      return response.write(event('DELETED', pod('b', '21')));
    });
    expect(await take(client.watch(RESOURCES.pods, { namespace: 'shop', signal }), 5)).toEqual([
      'STATE a',
      'ADDED b',
      'MODIFIED b',
      'BOOKMARK 20',
      'DELETED b',
    ]);
    expect(from).toEqual(['10', '12', '20']);
  });

  it('lists again when the server has forgotten the version', async () => {
    let lists = 0;
    const { client } = await connect((_, response, url) => {
      if (url.searchParams.get('watch') !== 'true') {
        lists += 1;
        return send(response, list([pod(`state-${lists}`)]));
      }
      return lists === 1
        ? response.end(event('ERROR', { kind: 'Status', code: 410, reason: 'Expired' }))
        : response.write(event('ADDED', pod('c', '30')));
    });
    expect(await take(client.watch(RESOURCES.pods, { name: 'x', fieldSelector: 'spec.nodeName=n', namespace: 'shop', signal }), 3)).toEqual(
      ['STATE state-1', 'STATE state-2', 'ADDED c'],
    );
  });

  it('survives a connection that breaks in the middle of a line', async () => {
    let watches = 0;
    const { client } = await connect((request, response, url) => {
      if (url.searchParams.get('watch') !== 'true') return send(response, list([]));
      watches += 1;
      if (watches === 1) return response.write('{"type":"ADD', () => request.socket.destroy());
      return response.write(event('ADDED', pod('d', '11')));
    });
    expect(await take(client.watch(RESOURCES.pods, { signal }), 2)).toEqual(['STATE ', 'ADDED d']);
  });

  it('ends with a refusal, and with its caller', async () => {
    const controller = new AbortController();
    const { client } = await connect((_, response, url) => {
      if (url.pathname.endsWith('/nodes'))
        return fail(response, 403, {
          message: 'nodes is forbidden: User "u" cannot list resource "nodes" in API group "" at the cluster scope',
        });
      return url.searchParams.get('watch') === 'true' ? response.write(event('ADDED', pod('e', '11'))) : send(response, list([]));
    });
    expect((await failureOf(take(client.watch(RESOURCES.nodes, { signal }), 1))).code).toBe('FORBIDDEN');
    const watching = async () => {
      for await (const { type } of client.watch(RESOURCES.pods, { signal: controller.signal })) if (type === 'ADDED') controller.abort();
    };
    expect((await failureOf(watching())).code).toBe('CANCELLED');
  });
});

describe('text', () => {
  it('streams log lines with their times and stops at its bound', async () => {
    const lines = Array.from({ length: 100 }, (_, index) => `2026-01-01T00:00:00.00000000${index % 10}Z line ${index}`).join('\n');
    const { client, paths } = await connect((_, response) => response.end(`${lines}\nfailed to read\n`));
    const { lines: stream } = await client.podLogs({
      name: 'web',
      tailLines: 5,
      sinceTime: '2026-01-01T00:00:00Z',
      container: 'app',
      previous: true,
      signal,
    });
    const read = [];
    for await (const line of stream) read.push(line);
    expect(read).toHaveLength(101);
    expect(read[0]).toEqual({ at: '2026-01-01T00:00:00.000000000Z', text: 'line 0' });
    expect(read.at(-1)).toEqual({ at: undefined, text: 'failed to read' });
    expect(paths).toEqual([
      'GET /api/v1/namespaces/shop/pods/web/log?container=app&previous=true&tailLines=5&sinceTime=2026-01-01T00%3A00%3A00Z&limitBytes=10485760&timestamps=true',
    ]);
    const short = await client.podLogs({ name: 'web', limitBytes: 100, signal });
    const some = [];
    for await (const { text } of short.lines) some.push(text);
    // The line that the bound cut in two is no line.
    expect([some, short.bytesRead, short.isCut]).toEqual([['line 0', 'line 1'], 100, true]);
  });

  it('knows a node without the logs of its services', async () => {
    const { client, paths } = await connect((_, response) =>
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<pre><a href="apt/">apt/</a></pre>'),
    );
    expect(await failureOf(client.nodeLogs({ node: 'n1', query: 'kubelet', tailLines: 5, signal }))).toMatchObject({ code: 'UNSUPPORTED' });
    expect(paths).toEqual(['GET /api/v1/nodes/n1/proxy/logs/?query=kubelet&tailLines=5']);
  });

  it('reads the whole file of a service that logs to one, and finds the complaints that come as text', async () => {
    const { client, paths } = await connect((_, response, url) => {
      response.writeHead(200, { 'content-type': 'text/plain;charset=UTF-8' });
      if (url.searchParams.get('query') === 'nothing') return response.end('\nlog not found for nothing\n');
      return response.end(
        url.searchParams.has('tailLines')
          ? '\noptions present and query resolved to log files for [docker]\ntry without specifying options\n'
          : '\none\ntwo\n',
      );
    });
    const { lines, isFile } = await client.nodeLogs({ node: 'n1', query: 'docker', tailLines: 5, signal });
    const read = [];
    for await (const { text } of lines) read.push(text);
    expect([read, isFile, paths.length]).toEqual([['', 'one', 'two'], true, 2]);
    const error = await failureOf(client.nodeLogs({ node: 'n1', query: 'nothing', signal }));
    expect(error).toMatchObject({ code: 'NOT_FOUND', details: { upstream: 'log not found for nothing' } });
  });

  it('reads through the proxy: any status of the pod is an answer, a refusal of the server is not', async () => {
    const { client, paths } = await connect((_, response, url) => {
      if (url.pathname.includes('down'))
        return response
          .writeHead(503, { 'content-type': 'application/json' })
          .end(
            '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"no endpoints available for service \\"down\\"","reason":"ServiceUnavailable","code":503}',
          );
      return response.writeHead(500, { 'content-type': 'text/plain' }).end('x'.repeat(3000));
    });
    const answer = await client.proxyGet({
      kind: 'services',
      name: 'web',
      port: 'metrics',
      scheme: 'https',
      path: '/a%20b/?x=1&x=2',
      maxBytes: 1000,
      signal,
    });
    expect([answer.status, answer.contentType, answer.body.length, answer.isCut]).toEqual([500, 'text/plain', 1000, true]);
    expect(paths).toEqual(['GET /api/v1/namespaces/shop/services/https%3Aweb%3Ametrics/proxy/a%20b/?x=1&x=2']);
    expect(await failureOf(client.proxyGet({ kind: 'services', name: 'down', port: '80', path: '/', signal }))).toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
    });
    for (const path of ['/../../secrets', '/%2e%2e/x', '/a%2Fb', '/%zz']) {
      expect((await failureOf(client.proxyGet({ kind: 'pods', name: 'web', port: '80', path, signal }))).code).toBe('INVALID_ARGUMENT');
    }
  });
});

describe('events', () => {
  it('are alike from both APIs, with selectors in the words of each', async () => {
    const core = {
      metadata: { name: 'e', namespace: 'shop', creationTimestamp: '2026-01-01T00:00:00Z' },
      type: 'Warning',
      reason: 'BackOff',
      message: 'again',
      count: 7,
      firstTimestamp: '2026-01-01T00:00:01Z',
      lastTimestamp: '2026-01-01T00:05:00Z',
      eventTime: null,
      involvedObject: { kind: 'Pod', name: 'web', namespace: 'shop', uid: 'u1', fieldPath: 'spec.containers{app}' },
      source: { component: 'kubelet', host: 'n1' },
      reportingComponent: 'kubelet',
    };
    const modern = {
      metadata: core.metadata,
      type: 'Warning',
      reason: 'BackOff',
      note: 'again',
      deprecatedCount: 7,
      deprecatedFirstTimestamp: core.firstTimestamp,
      deprecatedLastTimestamp: core.lastTimestamp,
      eventTime: null,
      regarding: core.involvedObject,
      deprecatedSource: core.source,
      reportingController: 'kubelet',
    };
    const run = async (isModern: boolean) => {
      const { client, paths } = await connect((_, response, url) => {
        if (url.pathname.startsWith('/apis/'))
          return isModern ? send(response, list([modern])) : response.writeHead(404).end('404 page not found');
        return send(response, list([core]));
      });
      const { events } = await client.events({
        signal,
        namespace: 'shop',
        about: { kind: 'Pod', uid: 'u1' },
        type: 'Warning',
        fieldSelector: 'involvedObject.name=web,reportingController=kubelet',
      });
      return { events, path: decodeURIComponent(paths.at(-1) ?? '') };
    };
    const [a, b] = [await run(true), await run(false)];
    expect(a.events).toEqual(b.events);
    expect(a.events[0]).toMatchObject({
      at: Date.parse('2026-01-01T00:05:00Z'),
      count: 7,
      message: 'again',
      source: 'kubelet n1',
      regarding: { name: 'web', uid: 'u1' },
    });
    expect(a.path).toBe(
      'GET /apis/events.k8s.io/v1/namespaces/shop/events?fieldSelector=regarding.kind=Pod,regarding.uid=u1,type=Warning,regarding.name=web,reportingController=kubelet',
    );
    expect(b.path).toBe(
      'GET /api/v1/namespaces/shop/events?fieldSelector=involvedObject.kind=Pod,involvedObject.uid=u1,type=Warning,involvedObject.name=web,reportingComponent=kubelet',
    );
  });
});

describe('metrics', () => {
  it('are read as cores and bytes', async () => {
    const { client } = await connect((_, response) =>
      send(
        response,
        list([
          {
            ...pod('web'),
            timestamp: '2026-01-01T00:00:00Z',
            containers: [
              { name: 'a', usage: { cpu: '251346n', memory: '123Mi' } },
              { name: 'b', usage: { cpu: '1m', memory: '1Ki' } },
            ],
          },
        ]),
      ),
    );
    const [usage] = await client.podMetrics({ signal });
    expect(usage).toMatchObject({
      name: 'web',
      namespace: 'shop',
      memory: 128_974_848 + 1024,
      containers: [
        { name: 'a', cpu: 0.000251346 },
        { name: 'b', cpu: 0.001 },
      ],
    });
    expect(usage?.cpu).toBeCloseTo(0.001251346, 12);
  });
});
