import { describe, expect, it } from 'vitest';
import { checkJobs } from './jobs.ts';
import { ago, DAY, HOUR, lines, make, NOW, snapshotOf, warn } from './objects.suite.ts';

const job = (name: string, isFailed: boolean, startedAgo: number, cronJob?: string) =>
  make(
    'Job',
    name,
    {
      status: {
        startTime: ago(startedAgo),
        conditions: [
          isFailed
            ? { type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' }
            : { type: 'Complete', status: 'True' },
        ],
      },
    },
    cronJob === undefined ? {} : { owner: { kind: 'CronJob', name: cronJob } },
  );
const cronJob = (spec: Record<string, unknown> = {}) =>
  make('CronJob', 'nightly', { spec: { schedule: '0 0 * * *', ...spec }, status: { lastSuccessfulTime: ago(2 * DAY) } });
const linesOf = (...objects: Parameters<typeof snapshotOf>[0]): readonly string[] => lines(checkJobs(snapshotOf(objects), NOW));

describe('jobs', () => {
  it('tells a failed Job with the exit of its pod, for a day', () => {
    const pod = make(
      'Pod',
      'import-x',
      {
        status: {
          phase: 'Failed',
          containerStatuses: [{ name: 'main', state: { terminated: { reason: 'Error', exitCode: 3, finishedAt: ago(HOUR) } } }],
        },
      },
      { owner: { kind: 'Job', name: 'import' } },
    );
    const [problem] = checkJobs(snapshotOf([job('import', true, HOUR), pod]), NOW);
    expect(problem).toMatchObject({
      reason: 'BackoffLimitExceeded',
      detail: 'job import failed: Job has reached the specified backoff limit',
      evidence: ['container main of import-x: Error (exit 3) 60m ago'],
      next: { tool: 'kubernetes_get_logs', arguments: { name: 'job/import' } },
    });
    expect(linesOf(job('import', true, 3 * DAY))).toEqual([]);
  });

  it('tells a CronJob whose last run failed, and how many did', () => {
    expect(
      linesOf(
        cronJob(),
        job('nightly-1', false, 3 * DAY, 'nightly'),
        job('nightly-2', true, 2 * DAY, 'nightly'),
        job('nightly-3', true, DAY, 'nightly'),
      ),
    ).toEqual([
      'warning cronjob/nightly BackoffLimitExceeded: job nightly-3 failed: Job has reached the specified backoff limit; 2 of the last 3 kept runs failed in a row, last success 2d ago',
    ]);
  });

  it('forgets a failure that a later run made good', () => {
    expect(linesOf(cronJob(), job('nightly-1', true, 2 * DAY, 'nightly'), job('nightly-2', false, DAY, 'nightly'))).toEqual([]);
  });

  it('tells suspension and missed schedules', () => {
    expect(linesOf(cronJob({ suspend: true }))).toEqual(['info cronjob/nightly Suspended: suspended: schedule 0 0 * * * starts nothing']);
    const event = warn('CronJob', 'nightly', 'TooManyMissedTimes', 'too many missed start times');
    expect(lines(checkJobs(snapshotOf([cronJob()], [event]), NOW))).toEqual([
      'warning cronjob/nightly TooManyMissedTimes: too many missed start times',
    ]);
  });
});
