// Calls of a service as the guide shows it, `kubernetes` with the tool `list_pods`: what is counted, logged and traced.

import { resourceFromAttributes } from '@opentelemetry/resources';
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { withAmbient } from '../../src/kit/ambient.ts';
import { toCatalogue } from '../../src/kit/catalogue.ts';
import type { Caller } from '../../src/kit/context.ts';
import { AppError } from '../../src/kit/errors.ts';
import { createSealer } from '../../src/kit/seal.ts';
import { defineService } from '../../src/kit/service.ts';
import { tool } from '../../src/kit/tool.ts';
import { createLogger } from '../../src/logging/logger.ts';
import { createCallEngine } from '../../src/manager/call.ts';
import { createManager } from '../../src/manager/manager.ts';
import { selectTools } from '../../src/manager/profiles.ts';
import { createExposition } from '../../src/observability/exposition.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { createTracing } from '../../src/observability/tracing.ts';
import { createPolicy } from '../../src/policy/policy.ts';
import { Scrape } from '../support/prometheus-text.ts';

const guide = defineService<Record<string, never>, undefined>({
  name: 'kubernetes',
  title: 'Kubernetes',
  config: z.strictObject({}),
  tools: [
    tool<undefined, z.core.$ZodLooseShape>({
      name: 'list_pods',
      title: 'List pods',
      description: 'Lists pods.',
      effect: 'read',
      input: z.object({ namespace: z.string().describe('Namespace.'), fail: z.string().optional().describe('How to fail.') }),
      output: z.object({ pods: z.number() }),
      run: async ({ fail }, _, { signal }) => {
        if (fail === 'known') throw new AppError('NOT_FOUND', 'There is no such namespace.');
        if (fail === 'fault') throw new TypeError('boom');
        if (fail === 'hang') await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
        return { head: { pods: 3 } };
      },
    }),
  ],
  connect: () => undefined,
  ping: async () => ({ state: 'up' }),
});

const open = ({ traced = true } = {}) => {
  const lines: string[] = [];
  const exporter = new InMemorySpanExporter();
  exporter.shutdown = async () => {};
  const mask = (text: string): string => text;
  const tracing = createTracing({
    exporter,
    resource: resourceFromAttributes({}),
    version: '1',
    mask,
    sampleRate: 1,
    maxBatch: 512,
    delayMs: 60_000,
    timeoutMs: 1000,
  });
  const logger = createLogger({ level: 'info', json: true, mask, write: (line) => void lines.push(line) });
  const sealer = createSealer('x'.repeat(32));
  const catalogue = toCatalogue(guide);
  const deps = {
    logger,
    now: Date.now,
    env: {},
    fingerprint: sealer.fingerprint,
    learnSecret: () => {},
    maskLines: (lines: readonly string[]) => [...lines],
    notify: { listChanged: () => {}, resourceUpdated: () => {} },
    section: () => undefined,
    secret: () => {
      throw new Error('no secret is asked for here');
    },
  };
  const manager = createManager({ services: [{ catalogue, load: async () => guide, config: {}, configured: true }], deps, logger });
  const metrics = createMetrics();
  const policy = createPolicy(undefined);
  const calls = createCallEngine({
    manager,
    logger,
    now: Date.now,
    sealer,
    mask,
    metrics,
    tracing: traced ? tracing.tracing : undefined,
    limits: {
      callMs: 50,
      maxCallMs: 1000,
      maxTokens: 4000,
      maxTokensCeiling: 4000,
      maxResponseBytes: 1_000_000,
      cutsLarge: true,
      concurrentCalls: 32,
    },
    policy: () => policy,
    directory: () => ({}) as never,
    stopping: new AbortController().signal,
  });
  const selection = selectTools([catalogue], {
    profiles: ['all'],
    mode: 'read',
    enabledTools: [],
    disabledTools: [],
    capabilities: new Set(),
  });
  const caller: Caller = { id: 'anna', groups: [], scopes: ['all'] };
  return {
    lines,
    metrics,
    call: (args: object, who = caller, signal = new AbortController().signal) =>
      calls.call({ tool: 'list_pods', args, caller: who, selection, signal }),
    unknown: () => calls.call({ tool: 'fly', args: {}, caller, selection, signal: new AbortController().signal }),
    async spans() {
      await tracing.close();
      return exporter.getFinishedSpans();
    },
  };
};

describe('calls of list_pods', () => {
  it('are counted by tool and outcome, with their durations (SEED-OBS-01, SEED-OBS-02)', async () => {
    const { call, unknown, metrics } = open();
    for (let index = 0; index < 5; index += 1) await call({ namespace: 'shop' });
    await call({ namespace: 'shop' }, { id: 'ben', groups: [], scopes: [] }).catch(() => {});
    for (const fail of ['known', 'fault', 'hang']) await call({ namespace: 'shop', fail }).catch(() => {});
    await call({}).catch(() => {});
    await call({ namespace: 'shop', fail: 'hang' }, undefined, AbortSignal.abort()).catch(() => {});
    await unknown().catch(() => {});
    const scraped = new Scrape(await createExposition(metrics).text());
    const requests = Object.fromEntries(
      scraped.all('mcp_requests_total').map(({ labels, value }) => [`${labels['method']} ${labels['status']}`, value]),
    );
    expect(requests).toEqual({
      'list_pods success': 5,
      'list_pods denied': 1,
      'list_pods error': 4,
      'list_pods cancelled': 1,
      'other error': 1,
    });
    expect(scraped.value('mcp_request_duration_seconds_count', { method: 'list_pods' })).toBe(11);
    expect(scraped.value('mcp_request_duration_seconds_bucket', { method: 'list_pods', le: '+Inf' })).toBe(11);
    expect(scraped.value('mcp_request_duration_seconds_sum', { method: 'list_pods' })).toBeGreaterThan(0.05);
    expect(scraped.value('tool_calls_total', { service_name: 'kubernetes', tool_name: 'list_pods' })).toBe(11);
    const errors = Object.fromEntries(scraped.all('mcp_errors_total').map(({ labels, value }) => [labels['type'], value]));
    expect(errors).toEqual({ forbidden: 1, not_found: 1, internal: 1, deadline_exceeded: 1, invalid_argument: 2, cancelled: 1 });
  });

  it('are one line each, as in the guide', async () => {
    const { call, lines } = open();
    await call({ namespace: 'shop' });
    await call({ namespace: 'shop', fail: 'known' }).catch(() => {});
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(entries).toMatchObject([
      { level: 'info', service: 'kubernetes', tool: 'list_pods', status: 'success', principal: 'anna' },
      { level: 'info', service: 'kubernetes', tool: 'list_pods', status: 'error', error_code: 'NOT_FOUND' },
    ]);
    for (const { duration_ms: duration } of entries) expect(Number.isInteger(duration)).toBe(true);
  });

  it('are spans named after the tool, below the caller, with a span for each step', async () => {
    const { call, spans, lines } = open();
    const parent = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: '01' };
    await withAmbient(parent, () => call({ namespace: 'shop' }));
    const found = await spans();
    const byName = new Map(found.map((span) => [span.name, span]));
    const root = byName.get('list_pods');
    expect(root?.parentSpanContext?.spanId).toBe(parent.spanId);
    expect(root?.attributes).toEqual({
      'mcp.method.name': 'tools/call',
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'list_pods',
      'enduser.id': 'anna',
      service: 'kubernetes',
      tool: 'list_pods',
      target: 'shop',
      status: 'success',
    });
    expect([...byName.keys()].sort()).toEqual([
      'list_pods',
      'step admit',
      'step deadline',
      'step log',
      'step metrics',
      'step permit',
      'step redact',
    ]);
    expect(byName.get('step log')?.parentSpanContext?.spanId).toBe(root?.spanContext().spanId);
    expect(byName.get('step metrics')?.parentSpanContext?.spanId).toBe(byName.get('step log')?.spanContext().spanId);
    expect(JSON.parse(lines[0] ?? '{}')).toMatchObject({ trace_id: parent.traceId });
  });

  it('make no span when traces are off', async () => {
    const { call, spans } = open({ traced: false });
    await call({ namespace: 'shop' });
    expect(await spans()).toEqual([]);
  });
});
