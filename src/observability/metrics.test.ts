import { describe, expect, it } from 'vitest';
import { createExposition } from './exposition.ts';
import { Histogram } from './instruments.ts';
import { createMetrics } from './metrics.ts';
import { DURATION_BUCKETS, METRICS, SIZE_BUCKETS } from './metrics-table.ts';

describe('the table', () => {
  it('names metrics and labels as Prometheus wants them, counters ending in _total', () => {
    for (const [name, { type, labels, help }] of Object.entries(METRICS)) {
      expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
      // The one name that was promised before the rule was known.
      if (name !== 'mcp_total_connections') expect(name.endsWith('_total')).toBe(type === 'counter');
      for (const label of labels) expect(label).toMatch(/^[a-z][a-z0-9_]*$/);
      expect(help.length).toBeGreaterThan(10);
    }
  });

  it('has the promised buckets', () => {
    expect(DURATION_BUCKETS).toEqual([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]);
    expect(SIZE_BUCKETS).toEqual([100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000]);
  });
});

describe('a histogram', () => {
  it('counts a value in the first bucket that holds it, bounds included', () => {
    const histogram = new Histogram([1, 2]);
    for (const value of [0, 1, 1.5, 2, 2.5]) histogram.observe(value);
    expect([histogram.counts, histogram.sum, histogram.count]).toEqual([[2, 2, 1], 7, 5]);
  });
});

describe('a family', () => {
  it('keeps one series per label values and stops growing where labels are not bounded', () => {
    const { families } = createMetrics();
    families.mcp_errors_total.labels('timeout').inc();
    families.mcp_errors_total.labels('timeout').inc(2);
    expect(families.mcp_errors_total.labels('timeout').value).toBe(3);
    for (let index = 0; index < 5000; index += 1) families.mcp_errors_total.labels(`made up ${index}`).inc();
    const all = [...families.mcp_errors_total.all()];
    expect(all.length).toBeLessThanOrEqual(2001);
    expect(all.reduce((sum, { child }) => sum + child.value, 0)).toBe(5003);
    expect(families.mcp_errors_total.labels('other').value).toBe(5003 - 3 - 1999);
  });
});

describe('the text', () => {
  it('escapes label values and gives cumulative buckets', async () => {
    const metrics = createMetrics();
    metrics.families.mcp_errors_total.labels('a"b\\c\nd').inc();
    metrics.families.mcp_result_bytes.labels().observe(150);
    metrics.families.mcp_result_bytes.labels().observe(1e9);
    const text = await createExposition(metrics).text();
    expect(text).toContain('mcp_errors_total{type="a\\"b\\\\c\\nd"} 1');
    expect(text).toContain('mcp_result_bytes_bucket{le="100"} 0\nmcp_result_bytes_bucket{le="1000"} 1');
    expect(text).toContain(
      'mcp_result_bytes_bucket{le="100000000"} 1\nmcp_result_bytes_bucket{le="+Inf"} 2\nmcp_result_bytes_sum 1000000150',
    );
  });

  it('has the rate of the cache, from hits and misses by service', async () => {
    const metrics = createMetrics();
    metrics.cache.miss('kubernetes', 'lru');
    for (let index = 0; index < 3; index += 1) metrics.cache.hit('kubernetes', 'lru');
    const text = await createExposition(metrics).text();
    expect(text).toContain('mcp_cache_hit_rate{service="kubernetes"} 0.75');
    expect(text).toContain('mcp_cache_hits_total{service="kubernetes"} 3');
    expect(text).toContain('cache_misses_total{service_name="kubernetes",cache_type="lru"} 1');
  });

  it('comes although something that is asked for it fails', async () => {
    const metrics = createMetrics();
    metrics.onCollect(() => Promise.reject(new Error('down')));
    expect(await createExposition(metrics).text()).toContain('mcp_total_connections 0');
  });
});
