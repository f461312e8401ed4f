import { describe, expect, it } from 'vitest';
import { ago, HOUR, lines, MINUTE, NOW, podOf, snapshotOf, warn } from './objects.suite.ts';
import { checkProbes } from './probes.ts';

const unhealthy = (more = {}) =>
  warn('Pod', 'web-abc-a', 'Unhealthy', 'Readiness probe failed: HTTP probe failed with statuscode: 503', more);

describe('probes', () => {
  it('tells a container that runs and is not ready, with the words of the probe', () => {
    const [problem] = checkProbes(snapshotOf([podOf('web', 'a', { ready: false }), podOf('web', 'b')], [unhealthy()]), NOW);
    expect(problem).toMatchObject({
      severity: 'warning',
      reason: 'ReadinessProbeFailed',
      isSymptom: true,
      since: NOW - 10 * MINUTE,
      detail: '1 of 2 pods not ready (container main runs)',
      evidence: ['web-abc-a: Readiness probe failed: HTTP probe failed with statuscode: 503 (5 times, last 60s ago)'],
    });
  });

  it('is critical when no pod of the workload is ready', () => {
    expect(checkProbes(snapshotOf([podOf('web', 'a', { ready: false })]), NOW)[0]).toMatchObject({
      severity: 'critical',
      reason: 'NotReady',
    });
  });

  it('gives a container a minute to start', () => {
    const state = { running: { startedAt: ago(20_000) } };
    expect(checkProbes(snapshotOf([podOf('web', 'a', { ready: false, state })], [unhealthy()]), NOW)).toEqual([]);
  });

  it('tells flapping of ready pods only while it is fresh and frequent', () => {
    const found = (more = {}) => checkProbes(snapshotOf([podOf('web', 'a')], [unhealthy(more)]), NOW);
    expect(lines(found({ count: 40 }))).toEqual(['info deployment/web ReadinessProbeFailed: probes fail now and then in its only pod']);
    expect(found({ count: 2 })).toEqual([]);
    expect(found({ count: 40, at: NOW - HOUR })).toEqual([]);
  });

  it('tells readiness gates that are not met', () => {
    const conditions = [
      { type: 'PodScheduled', status: 'True' },
      {
        type: 'Ready',
        status: 'False',
        reason: 'ReadinessGatesNotReady',
        message: 'corresponding condition of pod readiness gate "x" does not exist.',
      },
    ];
    expect(checkProbes(snapshotOf([podOf('web', 'a', { conditions })]), NOW)[0]?.detail).toContain('readiness gate "x"');
  });
});
