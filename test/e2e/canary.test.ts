// Secrets planted wherever they can stand, searched in everything that comes out of the running program.

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEmbeddedKubernetes, type EmbeddedKubernetes } from '../../src/embedded/kubernetes/index.ts';
import { findLeaks, type Outcome, plant, plantPlain } from '../support/canary.ts';
import { send } from '../support/http.ts';
import { type Running, runProgram, startProgram } from '../support/program.ts';

const OWN = {
  apiKey: plantPlain('api-key'),
  otherKey: plantPlain('other-key'),
  wrongKey: plantPlain('wrong-key'),
  signingKey: plantPlain('signing-key'),
  jwtSecret: plantPlain('jwt-secret'),
  bearer: plantPlain('bearer'),
  clusterToken: plantPlain('cluster-token'),
  storePassword: plantPlain('store-password'),
  auditPassword: plantPlain('audit-password'),
  webhookToken: plantPlain('webhook-token'),
};
const PEM_BODY = Array.from({ length: 6 }, (_, index) => Buffer.from(plantPlain(`pem-${index}`).padEnd(48, 'x')).toString('base64'));
const IN_CLUSTER = {
  password: plant('password'),
  stringData: plantPlain('string-data'),
  registryPassword: plantPlain('registry'),
  accountToken: `eyJhbGciOiJSUzI1NiJ9.${plantPlain('account')}.sig`,
  connection: plantPlain('connection'),
  environment: plantPlain('environment'),
  template: plantPlain('template'),
  multiLine: plantPlain('multi-line'),
  split: plantPlain('split-over-two-lines'),
  ...Object.fromEntries(PEM_BODY.map((line, index) => [`pemLine${index}`, line])),
};
const PEM = `-----BEGIN PRIVATE KEY-----\n${PEM_BODY.join('\n')}\n-----END PRIVATE KEY-----\n`;
const PLANTED = { ...OWN, ...IN_CLUSTER };
/** The parts of a value that is split must not stand alone either. */
const HALVES = { firstHalf: IN_CLUSTER.split.slice(0, 22), secondHalf: IN_CLUSTER.split.slice(22) };

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const NAMESPACE = 'vault';
const meta = (name: string, extra: object = {}) => ({ name, namespace: NAMESPACE, ...extra });
const lastApplied = { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ stringData: IN_CLUSTER }) };
const container = {
  name: 'app',
  image: 'busybox:1.36',
  env: [
    { name: 'DB_PASSWORD', value: IN_CLUSTER.environment },
    { name: 'PLAIN', value: 'plain-value' },
    { name: 'FROM_SECRET', valueFrom: { secretKeyRef: { name: 'credentials', key: 'password' } } },
  ],
};

const OBJECTS: readonly (readonly [path: string, object: object])[] = [
  ['/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } }],
  [
    `/api/v1/namespaces/${NAMESPACE}/secrets`,
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: meta('credentials', { annotations: lastApplied }),
      data: {
        password: base64(IN_CLUSTER.password),
        token: base64(IN_CLUSTER.accountToken),
        'tls.key': base64(PEM),
        url: base64(`postgres://shop:${IN_CLUSTER.connection}@db.shop:5432/shop`),
        settings: base64(`first=1\nAPI_TOKEN=${IN_CLUSTER.multiLine}\n`),
        '.dockerconfigjson': base64(
          JSON.stringify({ auths: { 'r.example': { username: 'robot', password: IN_CLUSTER.registryPassword } } }),
        ),
        split: base64(IN_CLUSTER.split),
        namespace: base64(NAMESPACE),
        word: base64('default'),
      },
      stringData: { plain: IN_CLUSTER.stringData },
    },
  ],
  [
    `/api/v1/namespaces/${NAMESPACE}/configmaps`,
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: meta('copied'),
      data: {
        'app.yaml': `password: '${IN_CLUSTER.password}'\nregistry: ${IN_CLUSTER.registryPassword}\nkey: |\n  ${PEM.replaceAll('\n', '\n  ')}`,
        encoded: base64(`x:${IN_CLUSTER.connection}`),
      },
    },
  ],
  [`/api/v1/namespaces/${NAMESPACE}/pods`, { apiVersion: 'v1', kind: 'Pod', metadata: meta('talker'), spec: { containers: [container] } }],
  [
    `/apis/apps/v1/namespaces/${NAMESPACE}/deployments`,
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: meta('workload', { annotations: { ...lastApplied, note: `url https://u:${IN_CLUSTER.connection}@x/` } }),
      spec: {
        selector: { matchLabels: { app: 'workload' } },
        template: {
          metadata: { labels: { app: 'workload' } },
          spec: { containers: [{ ...container, env: [{ name: 'API_TOKEN', value: IN_CLUSTER.template }] }] },
        },
      },
    },
  ],
  [
    `/api/v1/namespaces/${NAMESPACE}/events`,
    {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: meta('told'),
      involvedObject: { apiVersion: 'v1', kind: 'Pod', name: 'talker', namespace: NAMESPACE },
      type: 'Warning',
      reason: 'Failed',
      message: `login with ${IN_CLUSTER.password} and ${encodeURIComponent(IN_CLUSTER.password)} failed`,
      firstTimestamp: new Date().toISOString(),
      lastTimestamp: new Date().toISOString(),
      count: 1,
    },
  ],
];

const LOG = [
  `plain ${IN_CLUSTER.password} end`,
  `base64 ${base64(IN_CLUSTER.password)} ${base64(`x${IN_CLUSTER.password}`)} ${base64(`xy${IN_CLUSTER.password}z`)}`,
  `query ?p=${encodeURIComponent(IN_CLUSTER.password)}&q=${new URLSearchParams({ q: IN_CLUSTER.password }).toString()}`,
  JSON.stringify({ level: 'error', message: `json ${IN_CLUSTER.password}`, inner: JSON.stringify({ p: IN_CLUSTER.password }) }),
  `Authorization: Basic ${base64(`robot:${IN_CLUSTER.registryPassword}`)}`,
  `token ${IN_CLUSTER.accountToken} env ${IN_CLUSTER.environment} hex ${Buffer.from(IN_CLUSTER.stringData).toString('hex')}`,
  ...PEM.trim().split('\n'),
  `${'filler '.repeat(280)}${IN_CLUSTER.multiLine} behind the cut`,
  `wrapped ${HALVES.firstHalf}`,
  `${HALVES.secondHalf} and on`,
  `connect postgres://shop:${IN_CLUSTER.connection}@db/shop as default in ${NAMESPACE}`,
];

let folder: string;
let embedded: EmbeddedKubernetes;
let front: Server;
let collector: Server;
let exported = '';
let kubeconfig: string;
let server: Running;
const outcomes: Outcome[] = [];
const keep = (where: string, text: string): string => {
  outcomes.push({ where, text });
  return text;
};

const readBody = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};
const listen = (handler: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Promise<Server> =>
  new Promise((resolve) => {
    const made = createServer((request, response) => void handler(request, response));
    made.listen(0, '127.0.0.1', () => resolve(made));
  });
const portOf = (made: Server): number => (made.address() as AddressInfo).port;

/** The API server as it is, but for the logs of one pod, and for requests that fail with words that must not be passed on. */
const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const url = request.url ?? '';
  const body = await readBody(request);
  if (/\/pods\/talker\/log/.test(url)) {
    const text = LOG.map((line, at) => `2026-01-02T03:04:${String(at).padStart(2, '0')}.000000000Z ${line}\n`).join('');
    response.writeHead(200, { 'content-type': 'text/plain' });
    // In the middle of a value.
    const cut = text.indexOf(IN_CLUSTER.password) + 9;
    response.write(text.slice(0, cut));
    response.end(text.slice(cut));
    return;
  }
  if (/\/pods\/[^/]*talker[^/]*\/proxy/.test(url)) {
    response.writeHead(200, { 'content-type': 'text/plain', 'x-debug': IN_CLUSTER.password });
    response.end(`settings of ${IN_CLUSTER.password}\n${PEM}\n${HALVES.firstHalf}\n  ${HALVES.secondHalf}\n`);
    return;
  }
  if (/\/(?:pods|secrets)\/broken/.test(url)) {
    // A process that has seen no Secret yet can only know what is its own.
    const own = `cannot use ${OWN.clusterToken} at https://u:${IN_CLUSTER.connection}@db/`;
    const message = url.includes('own')
      ? own
      : `cannot use ${IN_CLUSTER.password} nor ${OWN.clusterToken} at https://u:${IN_CLUSTER.connection}@db/ ${'x'.repeat(180)} ${IN_CLUSTER.accountToken}`;
    response.writeHead(url.includes('html') ? 502 : 500, {
      'content-type': url.includes('html') ? 'text/html' : 'application/json',
      'x-debug': OWN.clusterToken,
    });
    response.end(
      url.includes('html')
        ? `<title>${message}</title>`
        : JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 500, message }),
    );
    return;
  }
  const headers = new Headers({ authorization: `Bearer ${embedded.token('admin')}` });
  for (const name of ['accept', 'content-type']) if (request.headers[name] !== undefined) headers.set(name, String(request.headers[name]));
  const passed = await embedded.handle(
    new Request(`http://api${url}`, { method: request.method ?? 'GET', headers, ...(body.length > 0 ? { body } : {}) }),
  );
  response.writeHead(passed.status, Object.fromEntries(passed.headers));
  response.end(Buffer.from(await passed.arrayBuffer()));
};

const create = async (path: string, object: object): Promise<void> => {
  const headers = { authorization: `Bearer ${embedded.token('admin')}`, 'content-type': 'application/json' };
  const made = await embedded.handle(new Request(`http://api${path}`, { method: 'POST', headers, body: JSON.stringify(object) }));
  if (made.status >= 300) throw new Error(`${path}: ${made.status} ${await made.text()}`);
};

const KEY = { 'x-api-key': OWN.apiKey };
const rpc = async (where: string, method: string, params: object = {}): Promise<string> => {
  const { body } = await send(`${server.url}/api/aggregate/http?profile=all`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...KEY },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  return keep(where, body);
};
const call = (name: string, args: object): Promise<string> =>
  rpc(`${name} ${JSON.stringify(args).slice(0, 120)}`, 'tools/call', { name, arguments: args });

const toEnv = (json: boolean): Record<string, string> => ({
  MCP_LOG_LEVEL: 'debug',
  MCP_LOG_JSON: String(json),
  MCP_AUTH_ENABLED: 'true',
  MCP_AUTH_MODE: 'apikey',
  MCP_AUTH_API_KEY: OWN.apiKey,
  MCP_AUTH_BEARER_TOKEN: OWN.bearer,
  MCP_AUTH_JWT_SECRET: OWN.jwtSecret,
  MCP_SIGNING_KEY: OWN.signingKey,
  MCP_STORE_URL: `redis://u:${OWN.storePassword}@127.0.0.1:1/0`,
  MCP_AUDIT_STORAGE: 'all',
  MCP_AUDIT_FILE_PATH: join(folder, 'audit', `audit-${json}.log`),
  MCP_AUDIT_DB_SQLITE_PATH: join(folder, 'audit', `audit-${json}.db`),
  MCP_AUDIT_DB_CONNECTION_STRING: `postgres://u:${OWN.auditPassword}@127.0.0.1:1/audit`,
  MCP_AUDIT_ALERTS_ENABLED: 'true',
  MCP_AUDIT_ALERTS_METHOD: 'slack',
  MCP_AUDIT_ALERTS_FAILURE_THRESHOLD: '1',
  MCP_AUDIT_ALERTS_WEBHOOK_URL: `http://127.0.0.1:${portOf(collector)}/hook/${OWN.webhookToken}`,
  MCP_OTEL_ENABLED: 'true',
  MCP_OTEL_ENDPOINT: `http://127.0.0.1:${portOf(collector)}`,
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'canary-'));
  embedded = createEmbeddedKubernetes();
  for (const [path, object] of OBJECTS) await create(path, object);
  front = await listen(answer);
  collector = await listen(async (request, response) => {
    exported += `${request.url?.startsWith('/hook') ? '' : request.url} ${(await readBody(request)).toString('latin1')}`;
    response.writeHead(200).end();
  });
  kubeconfig = join(folder, 'kubeconfig');
  await writeFile(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'canary',
      clusters: [{ name: 'canary', cluster: { server: `http://127.0.0.1:${portOf(front)}` } }],
      users: [{ name: 'tester', user: { token: OWN.clusterToken } }],
      contexts: [{ name: 'canary', context: { cluster: 'canary', user: 'tester', namespace: NAMESPACE } }],
    }),
  );
  await mkdir(join(folder, 'audit'));
  server = await startProgram(['--kubeconfig', kubeconfig], toEnv(true));
});
afterAll(async () => {
  await server.stop();
  front.closeAllConnections();
  collector.closeAllConnections();
  front.close();
  collector.close();
  await embedded.close();
  await rm(folder, { recursive: true, force: true });
});

const leaks = (): string[] => findLeaks(outcomes, { ...PLANTED, ...HALVES });

describe('no planted secret is found in', () => {
  it('a ConfigMap that repeats a Secret nobody has asked for yet (RULE-01)', async () => {
    const text = await call('kubernetes_get_resource', { kind: 'configmap', name: 'copied', namespace: NAMESPACE, view: 'yaml' });
    expect(text).toContain('app.yaml');
    expect(leaks()).toEqual([]);
  });

  it('logs, in every form, whatever is asked of them (RULE-01)', async () => {
    const log = { name: 'talker', namespace: NAMESPACE, maxTokens: 8000 };
    const lines = await call('kubernetes_get_logs', log);
    // The lines are there, and words and names are unharmed.
    for (const word of ['plain ***', 'wrapped ***', '*** and on', 'as default in vault', 'base64 ***']) expect(lines).toContain(word);
    await call('kubernetes_get_logs', { ...log, view: 'patterns' });
    await call('kubernetes_get_logs', { ...log, grep: 'wrapped' });
    await call('kubernetes_get_logs', { ...log, grep: 'filler', context: 2 });
    await call('kubernetes_get_logs', { ...log, grep: IN_CLUSTER.stringData });
    expect(leaks()).toEqual([]);
  });

  it('an answer about which lines match: nobody finds a secret by asking for its letters', async () => {
    const text = await call('kubernetes_get_logs', { name: 'talker', namespace: NAMESPACE, grep: 'plain cnry-password-[0-9a-f]' });
    expect(text).toContain('no_match');
  });

  it('any view of any tool (RULE-01)', async () => {
    const scope = { namespace: NAMESPACE };
    for (const view of ['summary', 'describe', 'status', 'rollout', 'full', 'yaml'])
      for (const [kind, name] of [
        ['secret', 'credentials'],
        ['configmap', 'copied'],
        ['pod', 'talker'],
        ['deployment', 'workload'],
      ])
        await call('kubernetes_get_resource', { kind, name, view, ...scope });
    await call('kubernetes_get_resource', {
      kind: 'pod',
      name: 'talker',
      fields: ['spec.containers', 'spec.containers[0].env[0].value'],
      ...scope,
    });
    await call('kubernetes_get_resource', {
      kind: 'secret',
      name: 'credentials',
      fields: ['data', 'data.password', 'stringData', 'metadata.annotations'],
      ...scope,
    });
    await call('kubernetes_get_resource', { kind: 'secret', name: 'credentials,missing', view: 'yaml', ...scope });
    for (const kind of ['secrets', 'configmaps', 'pods', 'deployments', 'replicasets', 'events', 'secrets,configmaps'])
      for (const view of ['table', 'names', 'count', 'images', 'full']) await call('kubernetes_list_resources', { kind, view, ...scope });
    await call('kubernetes_list_resources', { kind: 'secrets', fields: ['data.password', 'metadata.annotations'], ...scope });
    await call('kubernetes_list_resources', { kind: 'secrets', view: 'count', groupBy: 'data.password', ...scope });
    await call('kubernetes_list_resources', {
      kind: 'deployments',
      fields: ['spec.template.spec.containers[0].env[0]'],
      sortBy: 'spec.template.spec.containers[0].env[0].value',
      ...scope,
    });
    for (const view of ['grouped', 'list']) await call('kubernetes_list_events', { view, type: 'all', ...scope });
    for (const view of ['usage', 'capacity', 'quota', 'rightsizing']) await call('kubernetes_get_usage', { view, ...scope });
    for (const view of ['check', 'rules', 'who']) await call('kubernetes_check_access', { view, verb: 'get', kind: 'secrets', ...scope });
    for (const view of ['resources', 'versions', 'schema']) await call('kubernetes_explain_api', { view, kind: 'secrets' });
    await call('kubernetes_find_problems', scope);
    await call('kubernetes_find_problems', { kind: 'pod', name: 'talker', ...scope });
    await call('kubernetes_check_network', { to: 'service/x', ...scope });
    const proxied = await call('kubernetes_proxy_request', {
      name: 'pod/talker',
      port: '80',
      path: `/?p=${encodeURIComponent(IN_CLUSTER.password)}`,
      ...scope,
    });
    expect(proxied).toContain('settings of ***');
    // Most of them answer: a suite of errors would find nothing.
    const failed = outcomes.filter(({ text }) => text.includes('"isError":true')).length;
    expect(outcomes.length).toBeGreaterThan(70);
    expect(failed).toBeLessThan(10);
    await call('kubernetes_wait_for_resource', { kind: 'pod', name: 'talker', condition: 'exists', timeout: '1s', ...scope });
    await call('platform_status', {});
    expect(leaks()).toEqual([]);
  });

  it('errors: of backends, of arguments, of the door (RULE-01)', async () => {
    for (const name of ['broken', 'broken-html']) await call('kubernetes_get_resource', { kind: 'pod', name, namespace: NAMESPACE });
    for (const name of [IN_CLUSTER.password, IN_CLUSTER.accountToken]) {
      await call('kubernetes_get_resource', { kind: name, name, namespace: name });
      await call('kubernetes_get_logs', { name, grep: `(${name}` });
      await call('kubernetes_list_resources', { kind: 'pods', labelSelector: name, fields: [name], cursor: name });
      await call(name, { [name]: name });
      await rpc('unknown method', name, { name });
    }
    const wrong = { headers: { 'x-api-key': OWN.wrongKey, authorization: `Bearer ${OWN.bearer}` } };
    keep('401', JSON.stringify(await send(`${server.url}/mcp`, { method: 'POST', ...wrong, body: '{}' })));
    keep(
      '400',
      (
        await send(`${server.url}/mcp`, {
          method: 'POST',
          headers: { ...KEY, 'content-type': 'application/json' },
          body: `{"${OWN.apiKey}`,
        })
      ).body,
    );
    keep('404', (await send(`${server.url}/x/${OWN.apiKey}?key=${OWN.apiKey}`, { headers: KEY })).body);
    expect(leaks()).toEqual([]);
  });

  it('resources, prompts, completions and lists (RULE-01)', async () => {
    for (const method of ['tools/list', 'resources/list', 'resources/templates/list', 'prompts/list']) await rpc(method, method);
    for (const path of [
      'secrets/credentials',
      'configmaps/copied',
      'pods/talker',
      'deployments.apps/workload',
      'pods/talker/log',
      'pods/broken',
    ])
      await rpc(path, 'resources/read', { uri: `k8s://canary/${NAMESPACE}/${path}` });
    for (const uri of ['platform://clusters', 'platform://status', `k8s://canary/${NAMESPACE}/pods/${OWN.apiKey}`])
      await rpc('resource', 'resources/read', { uri });
    const prompts = JSON.parse(await rpc('prompts', 'prompts/list')) as { result: { prompts: { name: string }[] } };
    for (const { name } of prompts.result.prompts)
      await rpc(`prompt ${name}`, 'prompts/get', { name, arguments: { target: 'deployment/workload', namespace: NAMESPACE } });
    for (const name of ['cluster', 'namespace', 'kind', 'name'])
      await rpc(`completion ${name}`, 'completion/complete', {
        ref: { type: 'ref/resource', uri: 'k8s://{cluster}/{namespace}/{kind}/{name}' },
        argument: { name, value: '' },
        context: { arguments: { cluster: 'canary', namespace: NAMESPACE, kind: 'secrets' } },
      });
    expect(leaks()).toEqual([]);
  });

  it('health, metrics, the audit endpoints, and the commands (RULE-01)', async () => {
    for (const path of ['/health', '/health/detailed', '/metrics', '/api/audit/logs', '/api/audit/stats', '/api/nowhere'])
      keep(path, (await send(`${server.url}${path}`, { headers: KEY })).body);
    const env = { ...toEnv(true), MCP_AUDIT_STORAGE: 'memory' };
    for (const args of [
      ['doctor'],
      ['call', 'kubernetes_get_logs', '--name', 'talker'],
      ['call', 'kubernetes_get_resource', '--kind', 'secret', '--name', 'credentials', '--view', 'yaml', '--json'],
      ['call', 'kubernetes_get_resource', '--kind', 'pod', '--name', 'broken-own'],
      ['tools'],
      ['help'],
    ]) {
      const { stdout, stderr } = await runProgram([...args, ...(args[0] === 'help' ? [] : ['--kubeconfig', kubeconfig])], env);
      keep(args.join(' '), stdout + stderr);
    }
    expect(leaks()).toEqual([]);
  });

  it('audit records, exported spans and metrics, alerts, and log lines at debug as JSON (RULE-01)', async () => {
    await server.stop();
    for (const file of ['audit-true.log', 'audit-true.db']) {
      const text = (await readFile(join(folder, 'audit', file))).toString('latin1');
      expect(text, file).toContain('kubernetes_get_logs');
      keep(file, text);
    }
    keep('log as JSON', server.stderr());
    keep('exports', exported);
    expect(server.stderr()).toContain('"message":"tool call"');
    for (const word of ['/v1/traces', '/v1/metrics', 'kubernetes_get_logs', 'calls failed']) expect(exported).toContain(word);
    expect(leaks()).toEqual([]);
  });

  it('log lines at debug as text (RULE-01)', async () => {
    server = await startProgram(['--kubeconfig', kubeconfig], toEnv(false));
    await call('kubernetes_get_logs', { name: 'talker', namespace: NAMESPACE });
    await call('kubernetes_get_resource', { kind: 'pod', name: 'broken', namespace: NAMESPACE });
    await call('kubernetes_list_resources', { kind: IN_CLUSTER.password });
    keep('wrong key', (await send(`${server.url}/mcp`, { method: 'POST', headers: { 'x-api-key': OWN.wrongKey } })).body);
    await server.stop();
    keep('log as text', server.stderr());
    expect(server.stderr()).toContain('tool call');
    expect(leaks()).toEqual([]);
  });
});
