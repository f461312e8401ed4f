// The built program scraped by a real Prometheus; its alerting rules checked and tested by promtool.

import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import buildProgram from '../support/build.ts';
import { type Cluster, openCluster, type Running, startProgram } from '../support/program.ts';

const run = promisify(execFile);
const facts = z
  .object({ url: z.string(), targets: z.string(), promtool: z.string() })
  .parse(JSON.parse(readFileSync(process.env['CNMCP_TEST_PROMETHEUS'] ?? '', 'utf8')));

let cluster: Cluster;
let server: Running;
beforeAll(async () => {
  buildProgram();
  cluster = await openCluster();
  server = await startProgram(['--kubeconfig', cluster.kubeconfig]);
  writeFileSync(join(facts.targets, 'server.json'), JSON.stringify([{ targets: [new URL(server.url).host] }]));
});
afterAll(async () => {
  await server.stop();
  await cluster.close();
});

const answerShape = z.object({
  data: z.object({ result: z.array(z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) })) }),
});

const query = async (text: string): Promise<{ metric: Record<string, string>; value: number }[]> => {
  const answer = await fetch(`${facts.url}/api/v1/query?${new URLSearchParams({ query: text })}`);
  return answerShape.parse(await answer.json()).data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
};

describe('Prometheus', () => {
  it('ingests /metrics and answers what was counted (SEED-METRIC-01)', async () => {
    for (let index = 0; index < 3; index += 1)
      await fetch(`${server.url}/api/aggregate/http`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'platform_status', arguments: {} } }),
      });
    const counted = async () => (await query('mcp_requests_total{method="platform_status",status="success"}'))[0]?.value;
    while ((await counted()) !== 3) await delay(100);
    expect((await query('up{job="files"}'))[0]?.value).toBe(1);
    expect(
      (await query('histogram_quantile(0.99, tool_call_duration_seconds_bucket{tool_name="platform_status"})'))[0]?.value,
    ).toBeGreaterThan(0);
    expect((await query('service_status{service_name="platform"}'))[0]?.value).toBe(1);
    expect((await query('scrape_samples_scraped{job="files"}'))[0]?.value).toBeGreaterThan(100);
  });
});

describe('promtool', () => {
  it('finds no fault in the text', async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const checking = run(facts.promtool, ['check', 'metrics']);
    checking.child.stdin?.end(text);
    const { stdout, stderr } = await checking.catch((error: { stdout: string; stderr: string }) => error);
    // Names that were promised before the rules of naming; nothing else may be found.
    const KNOWN =
      /^(mcp_total_connections counter metrics should have "_total" suffix|mcp_stream_count non-histogram .*|nodejs_\S+ .*|mcp_cache_hit_rate .*)$/;
    expect(`${stdout}${stderr}`.split('\n').filter((line) => line !== '' && !KNOWN.test(line))).toEqual([]);
  });

  it('accepts the alerting rules, and they fire when they should', async () => {
    await run(facts.promtool, ['check', 'rules', 'deploy/prometheus/alerts.yaml']);
    const { stdout, stderr } = await run(facts.promtool, ['test', 'rules', 'deploy/prometheus/alerts.test.yaml']);
    expect(`${stdout}${stderr}`).toContain('SUCCESS');
  });
});
