// The dashboard and the alerts ask only for metrics and labels that exist; the names of metrics and keys are pinned.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createExposition } from '../../src/observability/exposition.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { METRICS } from '../../src/observability/metrics-table.ts';
import { configKeys } from '../../src/settings.ts';

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string }[];
}

const dashboard = JSON.parse(readFileSync('deploy/grafana/dashboard.json', 'utf8')) as { panels: Panel[] };
const alerts = parse(readFileSync('deploy/prometheus/alerts.yaml', 'utf8')) as { groups: { rules: { alert: string; expr: string }[] }[] };
const expressions = [
  ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const)),
  ...alerts.groups.flatMap(({ rules }) => rules.map(({ alert, expr }) => [alert, expr] as const)),
];

const METRIC =
  /\b((?:mcp|http|tool|external|cache|circuit|service|server|build|process|nodejs)_[a-z0-9_]+)\b(?!\s*(?:=|!=|=~|,|\)))(?=[{[\s)]|$)/g;

const toFamily = (name: string): string => (name in METRICS ? name : name.replace(/_(bucket|sum|count)$/, ''));

describe('the dashboard and the alerts', () => {
  it('ask only for metrics that this server has', async () => {
    const known = new Set((await createExposition(createMetrics()).values()).map(({ name }) => name));
    const asked = expressions.flatMap(([where, text]) =>
      [
        ...text
          .replace(/\{[^}]*\}/g, '{}')
          .replace(/\bby \([^)]*\)/g, '')
          .matchAll(METRIC),
      ].map(([, name = '']) => [where, name] as const),
    );
    expect(asked.length).toBeGreaterThan(expressions.length);
    expect(asked.filter(([, name]) => !known.has(toFamily(name)))).toEqual([]);
  });

  it('group and select by labels that those metrics have', () => {
    const labels = new Set(Object.values(METRICS).flatMap((metric): readonly string[] => metric.labels));
    const given = ['instance', 'job', 'le'];
    for (const [where, text] of expressions) {
      const used = [...text.matchAll(/\bby \(([^)]*)\)|([a-z_]+)\s*(?:=~|=|!=)"/g)].flatMap(([, by, selected]) =>
        by === undefined ? [selected] : by.split(',').map((name) => name.trim()),
      );
      expect([where, used.filter((name) => name !== undefined && !labels.has(name) && !given.includes(name))]).toEqual([where, []]);
    }
  });
});

describe('promised names (RULE-06)', () => {
  it('of metrics, with types and labels', () => {
    expect(Object.entries(METRICS).map(([name, { type, labels }]) => `${name} ${type} {${labels.join(',')}}`)).toMatchSnapshot();
  });

  it('of the keys of logs and telemetry, with their variables', () => {
    const own = configKeys().filter(({ key }) => /^(logging|otel|metrics|server\.admin)\./.test(key));
    expect(own.map(({ key, env }) => `${key} ${env ?? ''}`)).toMatchSnapshot();
  });
});
