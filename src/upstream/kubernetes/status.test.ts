import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ageSince, humanDuration } from './duration.ts';
import { type KubeObject, listAt, numberAt, textAt, valueAt } from './objects.ts';
import { rolloutStatus } from './rollout.ts';
import { formatJobDuration, formatRestarts, jobStatus, nodeStatus, phaseStatus, podStatus } from './status.ts';

interface Recording {
  readonly now: number;
  readonly cases: readonly { readonly fields: KubeObject; readonly object: KubeObject; readonly cells: readonly unknown[] }[];
}

/** What a real API server and a real kubectl said about these objects. */
const readRecording = (name: string): Recording => {
  const recording: unknown = JSON.parse(readFileSync(new URL(`./fixtures/${name}.json`, import.meta.url), 'utf8'));
  const cases = listAt(recording, 'cases').map((fields) => {
    const [object = {}] = [valueAt(fields, 'object') as KubeObject];
    const cells = valueAt(fields, 'cells');
    return { fields, object, cells: Array.isArray(cells) ? cells : [] };
  });
  return { now: numberAt(recording, 'now') ?? 0, cases };
};

describe('states as kubectl prints them', () => {
  const pods = readRecording('pods');
  it.each(pods.cases.map(({ cells, object }) => [cells.join(' '), cells, object] as const))('pod %s', (_, cells, object) => {
    const status = podStatus(object);
    expect([`${status.ready}/${status.containers}`, status.status, formatRestarts(status, pods.now)]).toEqual(cells);
  });

  const jobs = readRecording('jobs');
  it.each(jobs.cases.map(({ cells, object }) => [cells.join(' '), cells, object] as const))('job %s', (_, cells, object) => {
    const status = jobStatus(object, jobs.now);
    expect([status.status, status.completions, formatJobDuration(status)]).toEqual(cells);
  });

  const nodes = readRecording('nodes');
  it.each(nodes.cases.map(({ cells, object }) => [cells.join(' '), cells, object] as const))('node %s', (_, cells, object) => {
    const { status, roles } = nodeStatus(object);
    expect([status, roles.join(',') || '<none>']).toEqual(cells);
  });

  const rollouts = readRecording('rollouts');
  it.each(rollouts.cases.map(({ fields, object }) => [textAt(fields, 'message') ?? '', fields, object] as const))(
    'rollout: %s',
    (message, fields, object) => {
      const judged = rolloutStatus(object);
      expect(judged.message).toBe(message);
      expect(judged.state === 'failed' || judged.state === 'unsupported').toBe(fields['failed']);
    },
  );

  it('a kind without rollouts is said to have none', () => {
    expect(rolloutStatus({ kind: 'Job' }).state).toBe('unsupported');
  });

  it('tells why a job failed', () => {
    const failed = { status: { conditions: [{ type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded', message: 'too often' }] } };
    expect(jobStatus(failed, 0)).toMatchObject({ status: 'Failed', reason: 'BackoffLimitExceeded', message: 'too often' });
  });

  it('a claim that is deleted is terminating, a namespace has its phase', () => {
    const metadata = { deletionTimestamp: '2026-01-01T00:00:00Z' };
    expect(phaseStatus({ kind: 'PersistentVolumeClaim', metadata, status: { phase: 'Bound' } })).toBe('Terminating');
    expect(phaseStatus({ kind: 'PersistentVolumeClaim', status: { phase: 'Pending' } })).toBe('Pending');
    expect(phaseStatus({ kind: 'Namespace', metadata, status: { phase: 'Terminating' } })).toBe('Terminating');
  });

  it('an object that is not what it says reads as empty', () => {
    for (const object of [{}, { spec: null, status: 'x' }, { spec: { containers: 'x' }, status: { containerStatuses: [null, 1] } }]) {
      expect(podStatus(object).restarts).toBe(0);
      expect(nodeStatus(object).status).toBe('Unknown');
      expect(rolloutStatus({ ...object, kind: 'Deployment' }).state).toBe('complete');
    }
  });
});

describe('humanDuration', () => {
  const [s, m, h, d] = [1000, 60_000, 3_600_000, 86_400_000];
  // The cases of apimachinery's own test.
  it.each([
    [-3 * s, '<invalid>'],
    [-1.5 * s, '0s'],
    [0, '0s'],
    [s, '1s'],
    [70 * s, '70s'],
    [2 * m - s, '119s'],
    [2 * m, '2m'],
    [2 * m + 30 * s, '2m30s'],
    [10 * m - s, '9m59s'],
    [10 * m, '10m'],
    [2 * h + 59 * m + 59 * s, '179m'],
    [3 * h, '3h'],
    [3 * h + 5 * m, '3h5m'],
    [7 * h + 59 * m, '7h59m'],
    [8 * h, '8h'],
    [2 * d - h, '47h'],
    [2 * d, '2d'],
    [2 * d + h, '2d1h'],
    [8 * d - h, '7d23h'],
    [8 * d + h, '8d'],
    [2 * 365 * d - h, '729d'],
    [2 * 365 * d, '2y'],
    [3 * 365 * d + 40 * d, '3y40d'],
    [8 * 365 * d + 30 * d, '8y'],
  ])('%d ms is %s', (milliseconds, text) => {
    expect(humanDuration(milliseconds)).toBe(text);
  });

  it('an unknown time has an unknown age', () => {
    expect(ageSince(undefined, 0)).toBe('<unknown>');
  });
});
