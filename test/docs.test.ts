// What the pages for users say is what the program does.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadSettings } from '../src/app.ts';
import catalogue from '../src/generated/catalogue.json' with { type: 'json' };
import type { ServiceCatalogue } from '../src/kit/catalogue.ts';
import { formatDuration } from '../src/kit/duration.ts';
import { createPolicy } from '../src/policy/policy.ts';
import { FAMILIES } from '../src/services/kubernetes/problems/families.ts';
import { FAULTS } from './contract/faults/index.ts';

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), 'utf8');

describe('the README', () => {
  it('tells what is on by default', async () => {
    const { config } = await loadSettings({ env: {} });
    const [, table = ''] = /## What is on by default\n\n([^#]*)/.exec(read('README.md')) ?? [];
    const rows = Object.fromEntries(
      table.split('\n').flatMap((line) => {
        const [, name, byDefault] = line.split('|').map((cell) => cell.trim());
        return name === undefined || byDefault === undefined || name === '' || name === '---' ? [] : [[name, byDefault]];
      }),
    );
    const limit = config.ratelimit;
    expect(rows).toMatchObject({
      listening: config.server.addr.startsWith('127.0.0.1:') ? 'stdio only; over HTTP loopback only' : '',
      'authentication over HTTP': config.auth.enabled ? 'on' : 'off on loopback',
      effects: config.security.allowWrites || config.security.allowDestructive ? '' : 'read',
      policy: config.security.policy === undefined ? 'none: the switches decide' : '',
      audit: `${config.audit.enabled ? 'on' : 'off'}, in ${config.audit.storage}`,
      'rate limit': limit.enabled ? `${limit.requests_per_second} a second after ${limit.burst} at once` : 'off',
      'calls of one caller at once': String(config.limits.concurrentCalls),
      'cache of reads': `${config.cache.enabled ? 'on' : 'off'}, 2 s to 10 min by tool`,
      compression: `${config.performance.compression_enabled ? 'on' : 'off'}, from 1 KiB`,
      'traces and metrics over OTLP': config.otel.enabled ? 'on' : 'off',
      logs: `${config.logging.json ? 'JSON' : 'text'} to stderr, level ${config.logging.level}, no arguments`,
      'size of an answer': `${config.output.maxTokens.toLocaleString('en')} tokens, at most ${config.output.maxTokensCeiling.toLocaleString('en')}`,
      'deadline of a call': `${config.timeouts.callSec} s; tools that wait: their time, at most ${config.timeouts.maxCallSec / 60} min`,
    });
  });
});

describe('the reference of tools', () => {
  it('has every tool, with its arguments, its effect and what it answers (SEED-DOC-01)', () => {
    for (const { name: service, tools } of catalogue as unknown as readonly ServiceCatalogue[]) {
      const page = read(`docs/tools/${service}.md`);
      for (const { name, effect, input, output } of tools) {
        const [, section = ''] = new RegExp(`\\n## ${name}\\n([^]*?)(?=\\n## |$)`).exec(page) ?? [];
        expect(section).toContain(`Effect: **${effect}**`);
        const words = [...Object.keys((input['properties'] ?? {}) as object), ...Object.keys((output['properties'] ?? {}) as object)];
        expect(words.filter((word) => !section.includes(`\`${word}\``))).toEqual([]);
      }
    }
  });
});

describe('the performance guide', () => {
  it('tells the figures of the committed benchmark, and keys that exist (SEED-DOC-04)', () => {
    const page = read('docs/performance.md');
    const { rows } = JSON.parse(read('bench/results/latest.json')) as { rows: { id: string; ours: string; holds: boolean }[] };
    const told = page.split('\n').filter((line) => /^\| P\d/.test(line));
    expect(told.map((line) => line.split(' | ')[0])).toEqual(rows.map(({ id }) => `| ${id}`));
    for (const [index, { ours, holds }] of rows.entries()) {
      expect(told[index]).toContain(ours.replaceAll('|', '\\|'));
      expect(told[index]?.endsWith(holds ? '| yes |' : '| **no** |')).toBe(true);
    }
    for (const part of ['Caching', 'Connections', 'Batching', 'Compression and encoding']) expect(page).toContain(`## ${part}`);
    const keys = [...page.matchAll(/`((?:output|definitions|cache|kubernetes|performance|security|store)\.[a-zA-Z_.]+)`/g)].map(
      ([, key = '']) => key,
    );
    const isKey = (key: string): boolean => read('docs/configuration.md').includes(`\`${key}\``);
    expect(keys.filter((key) => !isKey(key))).toEqual([]);
  });
});

describe('the page of the cache', () => {
  it('lists every tool whose answers are kept, and how long (SEED-PERF-02)', () => {
    const told = Object.fromEntries(
      [...read('docs/cache.md').matchAll(/^\| (`[a-z]+_[^|]*) \| ([^|]*) \|$/gm)].flatMap(([, names = '', time = '']) =>
        names.split(', ').map((name) => [name.replaceAll('`', ''), time.replace(' min', 'm').replace(' s', 's')]),
      ),
    );
    const services = catalogue as unknown as readonly ServiceCatalogue[];
    const real = services.flatMap(({ tools }) => tools).filter(({ cacheForMs }) => cacheForMs > 0);
    expect(told).toEqual(Object.fromEntries(real.map(({ name, cacheForMs }) => [name, formatDuration(cacheForMs)])));
  });
});

describe('the page of policies', () => {
  it('shows a policy that can be used', async () => {
    const [, text = ''] = /```yaml\n([\s\S]*?)```/.exec(read('docs/policy.md')) ?? [];
    const { security } = parse(text) as { security: Record<string, unknown> };
    const { config } = await loadSettings({
      env: {},
      flags: Object.fromEntries(Object.entries(security).map(([key, value]) => [`security.${key}`, value])),
    });
    const policy = createPolicy(config.security.policy);
    const use = { tool: 'kubernetes_scale_workload', service: 'kubernetes', effect: 'write' } as const;
    const sre = { id: 'x', groups: ['sre'], scopes: ['all'] };
    expect(policy.decide(sre, use, { cluster: 'dev', namespace: 'shop', kind: ['deployments'], change: true }).allowed).toBe(true);
    expect(policy.decide(sre, use, { cluster: 'prod-1', namespace: 'shop', kind: ['deployments'], change: true }).rule).toBe('freeze');
  });
});

describe('the page of the diagnosis', () => {
  const page = read('docs/diagnosis.md');

  it('names every family of checks, and no other', () => {
    const told = [...page.slice(page.indexOf('| container state')).matchAll(/^\| ([a-z][a-z A-Z]+) \| [^|]+ \|$/gm)].map(
      ([, name]) => name,
    );
    expect(told).toEqual(FAMILIES.map(({ name }) => name));
  });

  it('names the reason of every planted fault', () => {
    const unnamed = FAULTS.map(({ expected }) => expected.reason.replace(/ \(.*/, '')).filter((reason) => !page.includes(reason));
    expect(unnamed).toEqual([]);
  });
});
