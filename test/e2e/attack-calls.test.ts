// Attacks inside of calls: names that are paths, expressions that are bombs, tokens of others, altered or late. Each is refused, recorded and counted.

import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { NOTES } from '../support/audit.ts';
import { type Evidence, gather, type Place, toOutcome } from '../support/evidence.ts';
import { type Reply, sendRpc } from '../support/http.ts';
import { backend, resetNotes } from '../support/notes-service.ts';
import { openApp, openShop, type Shop } from '../support/shop.ts';

const KEYS = { anna: 'cnm_anna_Zk3v9Qp7Lw2Xr8Tn5Yb1', ben: 'cnm_ben_Hd6Jf4Gs0Va3Kp8Rt5' } as const;
/** Who reads the audit log. */
const WATCHER = 'cnm_watcher_Qw8Lk2Zx5Vb7Nm4Jh';
const API_KEYS = [
  ...Object.entries(KEYS).map(([name, key]) => ({ name, key, scopes: ['read', 'write'] })),
  { name: 'watcher', key: WATCHER, scopes: ['admin'] },
];
const toPlace = (url: string): Place => ({ url, headers: { 'x-api-key': WATCHER } });

let shop: Shop;
let url: string;
let late = 0;
beforeAll(async () => {
  shop = await openShop({
    now: () => Date.now() + late,
    flags: {
      'ratelimit.enabled': false,
      'auth.enabled': true,
      'auth.apiKeys': API_KEYS,
      'security.allowWrites': true,
      plugins: [NOTES],
    },
  });
  ({ url } = await shop.app.openHttp({ port: 0 }));
});
afterAll(async () => {
  expect(shop.log.join('\n')).not.toMatch(/internal fault/);
  await shop.close();
});
beforeEach(() => {
  resetNotes();
  late = 0;
});

interface Result {
  readonly isError?: boolean;
  readonly structuredContent: Readonly<Record<string, unknown>> & {
    readonly page?: { readonly next?: string };
    readonly plan?: string;
    readonly error?: { readonly code: string; readonly details?: Readonly<Record<string, unknown>> };
  };
}

const ask = (name: string, args: object, who: keyof typeof KEYS = 'anna'): Promise<Reply> =>
  sendRpc(`${url}/api/aggregate/http`, 'tools/call', { name, arguments: args }, { headers: { 'x-api-key': KEYS[who] } });
const call = async (name: string, args: object, who?: keyof typeof KEYS): Promise<Result> =>
  (JSON.parse((await ask(name, args, who)).body) as { result: Result }).result;
const codeOf = async (name: string, args: object, who?: keyof typeof KEYS): Promise<string | undefined> =>
  (await call(name, args, who)).structuredContent.error?.code;

/** Every bit flipped would be thousands of calls: one bit of every eighth character. */
const flips = (token: string): string[] =>
  Array.from({ length: Math.ceil(token.length / 8) }, (_, at) => {
    const place = at * 8;
    return `${token.slice(0, place)}${token[place] === 'A' ? 'B' : 'A'}${token.slice(place + 1)}`;
  }).filter((one) => one !== token);

const forgeries = (token: string): string[] => [
  ...flips(token),
  '',
  ' ',
  token.slice(0, -1),
  token.slice(0, 20),
  token.slice(1),
  `${token}${token}`,
  randomBytes(64).toString('base64url'),
  'A'.repeat(100_000),
  '../../etc/passwd',
  '{"skip":0}',
  Buffer.from('{"skip":0}').toString('base64url'),
  '\u0000',
  'ä'.repeat(50),
];

/** Every call of that tool was refused: as many records of failures as calls, each with its caller, and as many counted. */
const expectRefused = ({ records, rise }: Evidence<unknown>, tool: string, callers: readonly string[]): void => {
  expect(records.map(({ action, tool_name, user_id, status }) => [action, tool_name, user_id, status])).toEqual(
    callers.map((caller) => ['tools/call', tool, `key:${caller}`, 'failure']),
  );
  const counted = [rise('tool_calls_total', { tool_name: tool, status: 'error' }), rise('tool_calls_total'), rise('mcp_errors_total')];
  expect(counted).toEqual([callers.length, callers.length, callers.length]);
};

describe('a cursor', () => {
  const LIST = { kind: 'pods', namespace: 'shop', limit: 3 };
  const next = async (): Promise<string> => (await call('kubernetes_list_resources', LIST)).structuredContent.page?.next ?? '';

  it('counts for its caller, its tool, its arguments and its time alone', async () => {
    const cursor = await next();
    expect(cursor.length).toBeGreaterThan(40);
    expect((await call('kubernetes_list_resources', { ...LIST, cursor })).isError).toBeUndefined();
    const evidence = await gather(toPlace(url), async () => {
      expect(await codeOf('kubernetes_list_resources', { ...LIST, cursor }, 'ben')).toBe('INVALID_ARGUMENT');
      expect(await codeOf('kubernetes_list_resources', { ...LIST, namespace: 'kube-system', cursor })).toBe('INVALID_ARGUMENT');
      late = 16 * 60_000;
      expect(await codeOf('kubernetes_list_resources', { ...LIST, cursor })).toBe('CURSOR_EXPIRED');
    });
    expectRefused(evidence, 'kubernetes_list_resources', ['ben', 'anna', 'anna']);
    const other = await gather(toPlace(url), () => codeOf('kubernetes_list_events', { namespace: 'shop', cursor }));
    expect(other.result).toBe('INVALID_ARGUMENT');
    expectRefused(other, 'kubernetes_list_events', ['anna']);
  });

  it('of a list of the protocol itself is refused when it is made up, recorded and counted', async () => {
    const methods = ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list'];
    const headers = { 'x-api-key': KEYS.anna };
    const { records, rise } = await gather(toPlace(url), async () => {
      for (const method of methods) {
        const { body } = await sendRpc(`${url}/api/aggregate/http`, method, { cursor: '../../etc/passwd' }, { headers });
        expect(JSON.parse(body).error).toMatchObject({ code: -32602, message: 'Invalid cursor' });
      }
    });
    expect(records.map(({ action, user_id, status }) => [action, user_id, status])).toEqual(
      methods.map((method) => [method, 'key:anna', 'failure']),
    );
    for (const method of methods) expect(rise('mcp_requests_total', { method, status: 'error' })).toBe(1);
  });

  it('that was altered or made up is refused, whatever it is', async () => {
    const forged = forgeries(await next());
    const evidence = await gather(toPlace(url), async () => {
      for (const cursor of forged) {
        const result = await call('kubernetes_list_resources', { ...LIST, cursor });
        expect([cursor.slice(0, 30), result.structuredContent.error?.code]).toEqual([cursor.slice(0, 30), 'INVALID_ARGUMENT']);
      }
    });
    expectRefused(
      evidence,
      'kubernetes_list_resources',
      forged.map(() => 'anna'),
    );
  });
});

describe('a plan', () => {
  const CHANGE = { id: 'first', text: 'goodbye' };
  const plan = async (): Promise<string> => (await call('notes_set_text', CHANGE)).structuredContent.plan ?? '';

  it('is applied for nobody else, with no other arguments, not after its time, and not when altered', async () => {
    const apply = await plan();
    expect(apply.length).toBeGreaterThan(40);
    const refused = ['INVALID_ARGUMENT', 'FAILED_PRECONDITION', 'CONFLICT', 'CURSOR_EXPIRED'];
    const attempt = async (args: object, who?: keyof typeof KEYS): Promise<void> => {
      const { structuredContent } = await call('notes_set_text', args, who);
      expect(refused).toContain(structuredContent.error?.code);
      expect(backend.writes).toBe(0);
    };
    const cursor = (await call('kubernetes_list_resources', { kind: 'pods', namespace: 'shop', limit: 3 })).structuredContent.page?.next;
    const forged = forgeries(apply).filter((one) => one.trim() !== '');
    const evidence = await gather(toPlace(url), async () => {
      await attempt({ ...CHANGE, apply }, 'ben');
      await attempt({ ...CHANGE, text: 'another', apply });
      await attempt({ ...CHANGE, apply: cursor });
      for (const one of forged) await attempt({ ...CHANGE, apply: one });
      late = 24 * 3_600_000;
      await attempt({ ...CHANGE, apply });
    });
    late = 0;
    expectRefused(evidence, 'notes_set_text', ['ben', 'anna', 'anna', ...forged.map(() => 'anna'), 'anna']);
    expect(JSON.stringify(evidence.records)).not.toContain(apply);
    expect((await call('notes_set_text', { ...CHANGE, apply })).structuredContent).toMatchObject({ phase: 'applied' });
    expect(backend.writes).toBe(1);
  });
});

describe('the id of a change', () => {
  it('opens nothing when made up or altered, nor for somebody else; each attempt is recorded and counted', async () => {
    const args = { id: 'first', text: 'undo me' };
    const apply = (await call('notes_set_text', args)).structuredContent.plan;
    const changeId = String((await call('notes_set_text', { ...args, apply })).structuredContent['changeId']);
    const written = backend.writes;
    const forged = [...flips(changeId), ...forgeries(changeId), '__proto__', 'constructor', 'change:claim:x', '*', '../first'];
    const evidence = await gather(toPlace(url), async () => {
      for (const one of forged) {
        const code = await codeOf('platform_undo_change', { changeId: one });
        expect([one.slice(0, 30), code]).toEqual([one.slice(0, 30), expect.stringMatching(/^(NOT_FOUND|INVALID_ARGUMENT)$/)]);
      }
      expect(await codeOf('platform_undo_change', { changeId }, 'ben')).toBe('NOT_FOUND');
      expect(await codeOf('platform_undo_change', { changeId, apply })).toMatch(/INVALID_ARGUMENT|FAILED_PRECONDITION/);
    });
    expect(backend.writes).toBe(written);
    expectRefused(evidence, 'platform_undo_change', [...forged.map(() => 'anna'), 'ben', 'anna']);
  });
});

describe('a confirmation', () => {
  const META = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
  };
  const CHANGE = { name: 'notes_set_text', arguments: { id: 'first', text: 'goodbye' } };
  const YES = { inputResponses: { confirm: { action: 'accept', content: { confirm: true } } } };

  it('counts for the caller who was asked alone, in its time, and not when altered', async () => {
    const asking = await openApp(
      {
        'ratelimit.enabled': false,
        'auth.enabled': true,
        'auth.apiKeys': API_KEYS,
        'security.allowWrites': true,
        'security.approval.write': 'elicit',
        plugins: [NOTES],
      },
      () => Date.now() + late,
    );
    const door = (await asking.app.openHttp({ port: 0 })).url;
    const attempt = async (who: keyof typeof KEYS, more: object = {}): Promise<{ result?: Record<string, unknown>; error?: object }> => {
      const headers = {
        'x-api-key': KEYS[who],
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': CHANGE.name,
      };
      return JSON.parse((await sendRpc(`${door}/api/notes/http`, 'tools/call', { ...CHANGE, ...more, _meta: META }, { headers })).body);
    };
    const { result } = await attempt('anna');
    const requestState = String(result?.['requestState']);
    const foreign = [requestState, ...forgeries(requestState).filter((one) => one.trim() !== '')];
    const refused = await gather(toPlace(door), async () => {
      for (const [at, state] of foreign.entries()) {
        const answer = await attempt(at === 0 ? 'ben' : 'anna', { ...YES, requestState: state });
        expect(answer.error).toMatchObject({ code: -32602 });
      }
      late = 6 * 60_000;
      expect((await attempt('anna', { ...YES, requestState })).error).toMatchObject({ code: -32602 });
    });
    late = 0;
    expect(backend.writes).toBe(0);
    expect(refused.records.map(({ action, user_id, status, error_msg }) => [action, user_id, status, error_msg])).toEqual([
      ['tools/call', 'key:ben', 'failure', 'INVALID_ARGUMENT: This request state is invalid.'],
      ...foreign.slice(1).map(() => ['tools/call', 'key:anna', 'failure', 'INVALID_ARGUMENT: This request state is invalid.']),
      ['tools/call', 'key:anna', 'failure', 'INVALID_ARGUMENT: This request state is expired.'],
    ]);
    expect(JSON.stringify(refused.records)).not.toContain(requestState);
    const count = foreign.length + 1;
    expect(refused.rise('mcp_requests_total', { method: 'tools/call', status: 'denied' })).toBe(count);

    expect((await attempt('anna', { ...YES, requestState })).result).toMatchObject({ structuredContent: { phase: 'applied' } });
    expect(backend.writes).toBe(1);
    // Sent again, at once and later: nothing is written twice, and each attempt is seen.
    const replayed = await gather(toPlace(door), async () => {
      await attempt('anna', { ...YES, requestState });
      await Promise.all(Array.from({ length: 5 }, () => attempt('anna', { ...YES, requestState })));
    });
    expect(backend.writes).toBe(1);
    expect(replayed.records.map(toOutcome)).toEqual(Array.from({ length: 6 }, () => ['tools/call', 'denied', 'APPROVAL_REQUIRED']));
    // Each was asked anew, for there is another change to approve now.
    expect(replayed.rise('tool_calls_total', { tool_name: CHANGE.name })).toBe(6);
    late = 24 * 3_600_000;
    const later = await gather(toPlace(door), () => attempt('anna', { ...YES, requestState }));
    late = 0;
    expect(later.result.error).toMatchObject({ code: -32602 });
    expect([later.records.length, later.rise('mcp_requests_total', { status: 'denied' })]).toEqual([1, 1]);
    expect(backend.writes).toBe(1);
    const other = { arguments: { id: 'first', text: 'once' } };
    const again = String((await attempt('anna', other)).result?.['requestState']);
    const storm = await gather(toPlace(door), () =>
      Promise.all(Array.from({ length: 5 }, () => attempt('anna', { ...YES, ...other, requestState: again }))),
    );
    expect(backend.writes).toBe(2);
    expect(storm.records.map(({ status }) => status).toSorted()).toEqual(['denied', 'denied', 'denied', 'denied', 'success']);
    expect(storm.rise('tool_calls_total', { tool_name: CHANGE.name })).toBe(5);
    await asking.close();
  });
});

describe('a task', () => {
  it('of somebody else, or made up, is unknown; the attempts are recorded and counted', async () => {
    const extensions = { 'io.modelcontextprotocol/tasks': {} };
    const meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': { extensions } };
    const methods = ['tasks/get', 'tasks/update', 'tasks/cancel'];
    const ids = ['00000000-0000-4000-8000-000000000000', '__proto__', '../1'];
    const { records, rise } = await gather(toPlace(url), async () => {
      for (const method of methods)
        for (const taskId of ids) {
          const headers = { 'x-api-key': KEYS.ben, 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, 'mcp-name': taskId };
          const { body } = await sendRpc(`${url}/api/aggregate/http`, method, { taskId, _meta: meta }, { headers });
          expect(JSON.parse(body).error).toMatchObject({ code: -32602, message: 'Unknown task' });
        }
    });
    expect(records.map(({ action, user_id, status }) => [action, user_id, status])).toEqual(
      methods.flatMap((method) => ids.map(() => [method, 'key:ben', 'failure'])),
    );
    expect(rise('mcp_requests_total', { method: 'other', status: 'denied' })).toBe(9);
  });
});

const NAMES = [
  '../../secrets',
  '..',
  '.',
  'a/../../../secrets/db',
  '..%2f..%2fsecrets',
  '%2e%2e',
  'a?watch=true',
  'a#b',
  'a\nb',
  'a\r\nX-Injected: 1',
  'a\u0000b',
  'a;rm -rf /',
  '$(id)',
  '`id`',
  "' or 1=1 --",
  'a&labelSelector=x',
  '\ud800',
  'x'.repeat(300),
  '\u202egod',
  '/',
  '//evil.example.com/',
];

describe('names that are more than names', () => {
  /** An API server that notes what it is asked for, and has nothing. */
  let server: Server;
  let asked: string[] = [];
  let recorder: Awaited<ReturnType<typeof openApp>>;
  let door: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      const isList = /\/(pods|services|events)(\?|$)/.test(request.url ?? '');
      const path = (request.url ?? '').split('?')[0];
      const known: Readonly<Record<string, unknown>> = {
        '/api': { kind: 'APIVersions', versions: ['v1'] },
        '/apis': { kind: 'APIGroupList', groups: [] },
        '/version': { major: '1', minor: '34', gitVersion: 'v1.34.0' },
        '/api/v1': {
          kind: 'APIResourceList',
          groupVersion: 'v1',
          resources: ['pods', 'services', 'events', 'secrets', 'namespaces'].map((name) => ({
            name,
            singularName: name.slice(0, -1),
            namespaced: name !== 'namespaces',
            kind: `${name[0]?.toUpperCase()}${name.slice(1, -1)}`,
            verbs: ['get', 'list'],
          })),
        },
      };
      const body =
        known[path ?? ''] ?? (isList ? { kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: '1' }, items: [] } : undefined);
      response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify(
          body ?? {
            kind: 'Status',
            apiVersion: 'v1',
            status: 'Failure',
            code: 404,
            reason: 'NotFound',
            message: 'not found',
            details: { name: 'x', kind: 'pods' },
          },
        ),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { mkdtemp, writeFile } = await import('node:fs/promises');
    const { tmpdir } = await import('node:os');
    const folder = await mkdtemp(`${tmpdir()}/recorder-`);
    const cluster = { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
    await writeFile(
      `${folder}/kubeconfig`,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'r',
        clusters: [{ name: 'r', cluster }],
        users: [{ name: 'r', user: {} }],
        contexts: [{ name: 'r', context: { cluster: 'r', user: 'r', namespace: 'shop' } }],
      }),
    );
    recorder = await openApp({
      'kubernetes.kubeconfig': `${folder}/kubeconfig`,
      'kubernetes.qps': 5000,
      'kubernetes.burst': 5000,
      'kubernetes.retries': 0,
      'ratelimit.enabled': false,
    });
    door = (await recorder.app.openHttp({ port: 0 })).url;
    // Discovery is asked for once; what it asks is no matter here.
    await sendRpc(`${door}/api/aggregate/http`, 'tools/call', { name: 'kubernetes_list_resources', arguments: { kind: 'pods' } });
  });
  afterAll(async () => {
    expect(recorder.log.join('\n')).not.toMatch(/internal fault/);
    await recorder.close();
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    asked = [];
  });

  /** What may be asked for: pods, services, events and namespaces, one segment each, and nothing beside. */
  const HARMLESS =
    /^GET \/(api|apis|version|api\/v1)?(\?.*)?$|^GET \/(api\/v1|apis\/events\.k8s\.io\/v1)\/(namespaces(\/[^/?]+)?|(namespaces\/[^/?]+\/)?(pods|services|events)(\/[^/?]+(\/log|\/proxy(\/[^?]*)?)?)?)(\?.*)?$/;

  it.each([
    ['the name of an object', (evil: string) => ['kubernetes_get_resource', { kind: 'pod', name: evil, namespace: 'shop' }]],
    ['a namespace', (evil: string) => ['kubernetes_get_resource', { kind: 'pod', name: 'a', namespace: evil }]],
    ['the namespace of a list', (evil: string) => ['kubernetes_list_resources', { kind: 'pods', namespace: evil }]],
    ['a kind', (evil: string) => ['kubernetes_list_resources', { kind: evil, namespace: 'shop' }]],
    ['the pod of a log', (evil: string) => ['kubernetes_get_logs', { name: evil, namespace: 'shop' }]],
    ['the container of a log', (evil: string) => ['kubernetes_get_logs', { name: 'a', container: evil, namespace: 'shop' }]],
    ['a label selector', (evil: string) => ['kubernetes_list_resources', { kind: 'pods', namespace: 'shop', labelSelector: evil }]],
    ['a field selector', (evil: string) => ['kubernetes_list_resources', { kind: 'pods', namespace: 'shop', fieldSelector: evil }]],
    ['the subject of events', (evil: string) => ['kubernetes_list_events', { namespace: 'shop', name: evil }]],
    [
      'the target of a proxy request',
      (evil: string) => ['kubernetes_proxy_request', { name: `pod/${evil}`, namespace: 'shop', port: '80' }],
    ],
    ['the port of a proxy request', (evil: string) => ['kubernetes_proxy_request', { name: 'pod/a', namespace: 'shop', port: evil }]],
    [
      'the path of a proxy request',
      (evil: string) => ['kubernetes_proxy_request', { name: 'pod/a', namespace: 'shop', port: '80', path: `/${evil}` }],
    ],
    [
      'the path of a proxy request, bare',
      (evil: string) => ['kubernetes_proxy_request', { name: 'pod/a', namespace: 'shop', port: '80', path: evil }],
    ],
  ] as const)('%s reaches nothing else than it says; each attempt is recorded and counted, as refused where it was', async (_, toCall) => {
    const attempt = async (evil: string): Promise<boolean> => {
      const [name, args] = toCall(evil);
      asked = [];
      const { body, status } = await sendRpc(`${door}/api/aggregate/http`, 'tools/call', { name, arguments: args });
      expect(status).toBe(200);
      expect(body).not.toMatch(/"code":"INTERNAL"|TypeError|\\n\s+at /);
      for (const line of asked) {
        expect(line).toMatch(HARMLESS);
        expect(line).not.toMatch(/\/\.\.?(\/|\?|$)|\/%2e%2e(\/|$)|[\r\n\0]/i);
        // A query of its own has only what is asked of a port.
        if (!line.includes('/proxy/')) expect(line).not.toMatch(/\/secrets|[?&](watch|labelSelector)=(true|x)(&|$)/);
      }
      return (JSON.parse(body) as { result: Result }).result.isError === true;
    };
    const { result, records, rise } = await gather({ url: door }, async () => {
      const refused: boolean[] = [];
      for (const evil of NAMES) refused.push(await attempt(evil));
      return refused;
    });
    expect(records.map(({ action, status }) => [action, status])).toEqual(
      result.map((isRefused) => ['tools/call', isRefused ? 'failure' : 'success']),
    );
    expect(rise('tool_calls_total')).toBe(NAMES.length);
    expect(rise('tool_calls_total', { status: 'error' })).toBe(result.filter(Boolean).length);
    expect(result).toContain(true);
  });
});

describe('expressions that are bombs', () => {
  it.each([
    '(a+)+$',
    '(a|a)*b',
    '^(([a-z])+.)+[A-Z]([a-z])+$',
    '(.*)*x',
    '(?:a?){50}a{50}',
    'a{1,1000}{1,1000}',
    '(?=a)',
    '\\1',
    '[',
    '('.repeat(480),
  ])('%j is matched in linear time or refused', async (grep) => {
    const { structuredContent } = await call('kubernetes_list_resources', { kind: 'pods', namespace: 'shop', view: 'names', limit: 1 });
    const [pod] = structuredContent['names'] as string[];
    const { result, records, rise } = await gather(toPlace(url), async () => [
      await call('kubernetes_get_logs', { name: pod, namespace: 'shop', grep }),
      await call('kubernetes_list_resources', { kind: 'pods', namespace: 'shop', name: `/${grep}/` }),
    ]);
    const [matched, named] = result;
    if (matched?.isError === true)
      expect(matched.structuredContent.error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { argument: 'grep' } });
    if (named?.isError === true) expect(named.structuredContent.error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(records.map(({ status }) => status)).toEqual(result.map(({ isError }) => (isError === true ? 'failure' : 'success')));
    expect(rise('mcp_errors_total', { type: 'invalid_argument' })).toBe(result.filter(({ isError }) => isError === true).length);
  });

  it('a glob of many stars is matched in linear time', async () => {
    const { structuredContent } = await call('kubernetes_list_resources', { kind: 'pods', name: `${'*a'.repeat(200)}b`, view: 'count' });
    expect(structuredContent['total']).toBe(0);
  });
});
