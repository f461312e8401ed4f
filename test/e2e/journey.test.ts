// One call through every layer of the running program, and what each of them leaves behind.

import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { AuditRecord } from '../../src/audit/index.ts';
import { send, sendRpc } from '../support/http.ts';
import { type Cluster, openCluster, type Running, startProgram } from '../support/program.ts';
import { type Scrape, scrape } from '../support/prometheus-text.ts';

const KEYS = { admin: 'journey-key-of-the-admin-0123', reader: 'journey-key-of-the-reader-0123' } as const;
const asAdmin = { 'x-api-key': KEYS.admin };
const asReader = { 'x-api-key': KEYS.reader };
const TRACE = '0af7651916cd43dd8448eb211c80319c';

let cluster: Cluster;
let server: Running;
beforeAll(async () => {
  cluster = await openCluster();
  const config = join(tmpdir(), `journey-${process.pid}.yaml`);
  await writeFile(
    config,
    stringify({
      auth: {
        enabled: true,
        apiKeys: [
          { name: 'admin', key: KEYS.admin, scopes: ['read', 'admin'] },
          { name: 'reader', key: KEYS.reader, scopes: ['read'] },
        ],
      },
      security: { policy: { rules: [{ name: 'no-nodes', action: 'deny', principal: 'key:reader', kind: 'nodes' }] } },
      ratelimit: { requests_per_second: 0.001, burst: 30 },
      logging: { json: true },
    }),
  );
  server = await startProgram(['--kubeconfig', cluster.kubeconfig, '--config', config]);
});
afterAll(async () => {
  await server.stop();
  await cluster.close();
});

const list = (args: object, headers: Record<string, string> = asReader, path = '/api/kubernetes/http') =>
  sendRpc(`${server.url}${path}`, 'tools/call', { name: 'kubernetes_list_resources', arguments: args }, { headers });
const metrics = (): Promise<Scrape> => scrape(`${server.url}/metrics`, asAdmin);
const records = async (query: string) =>
  JSON.parse((await send(`${server.url}/api/audit/logs${query}`, { headers: asAdmin })).body) as AuditRecord[];
const backendCalls = (): number => cluster.embedded.requests.filter(({ path }) => path.includes('/namespaces/shop/pods')).length;

describe('a call', () => {
  it('is let in, routed, answered, cached, recorded, counted and told in the log (SEED-CALL-02, SEED-CALL-04, SEED-REQ-01, SEED-REQ-05, SEED-REQ-07, SEED-REQ-12, SEED-RES-01, SEED-RES-06, SEED-ARCH-05, SEED-ARCH-06, SEED-GOAL-05, SEED-GOAL-06)', async () => {
    const before = await metrics();
    const args = { kind: 'pods', namespace: 'shop' };
    const first = await list(args, { ...asReader, 'x-request-id': 'journey-1', traceparent: `00-${TRACE}-b7ad6b7169203331-01` });
    expect([first.status, first.headers['x-request-id']]).toEqual([200, 'journey-1']);
    const { result } = JSON.parse(first.body) as { result: { structuredContent: { rows: unknown[] }; content: { text: string }[] } };
    expect(result.structuredContent.rows.length).toBeGreaterThan(5);
    expect(result.content[0]?.text).toContain('payment');
    // An answer is kept for two seconds: on a busy machine the next one may come too late, the one after it does not.
    let asked = 0;
    const again = async (): Promise<unknown> => {
      asked = backendCalls();
      const { result: kept } = JSON.parse((await list(args)).body) as { result: { structuredContent: Record<string, unknown> } };
      return kept.structuredContent['cached'];
    };
    await expect.poll(again).toMatch(/ago$/);
    expect(backendCalls()).toBe(asked);

    const [record] = await records('?tool_name=kubernetes_list_resources&order=asc');
    expect(record).toMatchObject({
      user_id: 'key:reader',
      caller_ip: '127.0.0.1',
      action: 'tools/call',
      service_name: 'kubernetes',
      status: 'success',
      input_params: args,
      request_id: 'journey-1',
      trace_id: TRACE,
    });

    const after = await metrics();
    const rose = (name: string, labels: Record<string, string>) => after.value(name, labels) - before.value(name, labels);
    expect(rose('mcp_requests_total', { method: 'kubernetes_list_resources', status: 'success' })).toBeGreaterThanOrEqual(2);
    await expect.poll(() => server.stderr()).toContain('"request_id":"journey-1"');
  });

  it('counts hits and misses of the cache, and their rate (SEED-OBS-03, SEED-METRIC-04, GUIDE-PERF-03)', async () => {
    const scraped = await metrics();
    const [hits = 0, misses = 0] = ['mcp_cache_hits_total', 'mcp_cache_misses_total'].map((name) =>
      scraped.value(name, { service: 'kubernetes' }),
    );
    expect([hits, misses]).toEqual([1, expect.toSatisfy((count: number) => count >= 1)]);
    expect(scraped.value('mcp_cache_hit_rate', { service: 'kubernetes' })).toBe(hits / (hits + misses));
    expect(scraped.value('mcp_cache_bytes')).toBeGreaterThan(100);
    expect(scraped.value('mcp_connection_duration_seconds_count')).toBeGreaterThan(0);
  });

  it('is stopped by the first layer that refuses it, and none behind that is reached (SEED-CALL-03, SEED-MW-06)', async () => {
    const asked = cluster.embedded.requests.length;
    // A foreign Host: nobody is asked for a key.
    const foreign = await send(`${server.url}/mcp`, { method: 'POST', headers: { host: 'evil.example', ...asReader } });
    expect([foreign.status, foreign.headers['www-authenticate'], foreign.headers['ratelimit']]).toEqual([403, undefined, undefined]);
    // No key: no token of the bucket is spent, and yet the answer has an id and safe headers.
    const nobody = await list({ kind: 'pods' }, {});
    expect([nobody.status, nobody.headers['ratelimit'], nobody.headers['x-content-type-options']]).toEqual([401, undefined, 'nosniff']);
    expect(nobody.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    // A key without the right: the tool is refused before the backend is asked.
    const denied = await list({ kind: 'nodes' });
    expect(JSON.parse(denied.body)).toMatchObject({
      result: { isError: true, structuredContent: { error: { code: 'FORBIDDEN', details: { by: 'policy', rule: 'no-nodes' } } } },
    });
    expect(cluster.embedded.requests.slice(asked).filter(({ path }) => path.includes('/nodes'))).toEqual([]);
    // Each of them is on record.
    const kept = await records('?status=denied');
    expect(kept.map(({ action, user_id }) => [action, user_id])).toEqual([
      ['tools/call', 'key:reader'],
      ['POST /api/kubernetes/http', ''],
      ['POST /mcp', ''],
    ]);
  });

  it('is refused when the caller has used up its tokens; others go on (SEED-REQ-04, SEED-MW-03)', async () => {
    const statuses: number[] = [];
    for (let n = 0; n < 40; n++) statuses.push((await list({ kind: 'pods', namespace: 'shop' })).status);
    expect(statuses.filter((status) => status === 200).length).toBeLessThan(30);
    const refused = await list({ kind: 'pods' });
    expect([refused.status, JSON.parse(refused.body)]).toMatchObject([429, { error: { code: 'RATE_LIMITED', details: { by: 'caller' } } }]);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(refused.headers['ratelimit']).toMatch(/^"requests";r=0;t=\d+$/);
    expect((await list({ kind: 'pods' }, asAdmin)).status).toBe(200);
    expect((await send(`${server.url}/health`)).status).toBe(200);
    expect((await metrics()).value('mcp_ratelimited_total', { by: 'caller' })).toBeGreaterThan(10);
  });
});
