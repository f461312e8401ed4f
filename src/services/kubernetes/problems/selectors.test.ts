import { describe, expect, it } from 'vitest';
import { lines, make, NOW, snapshotOf } from './objects.suite.ts';
import { checkSelectors } from './selectors.ts';

const workload = (name: string, selector: Record<string, string>, labels = selector, more: Record<string, unknown> = {}) =>
  make('Deployment', name, { spec: { selector: { matchLabels: selector }, template: { metadata: { labels } }, ...more } });

describe('selectors', () => {
  it('tells two workloads of which one claims the pods of the other, once', () => {
    const objects = [workload('web', { app: 'web' }), workload('canary', { app: 'web', track: 'canary' })];
    expect(lines(checkSelectors(snapshotOf(objects), NOW))).toEqual([
      'warning deployment/web SelectorOverlaps: its selector app=web also chooses the pods of deployment/canary',
    ]);
  });

  it('finds nothing where values differ, in other namespaces, or where nothing is wanted', () => {
    const objects = [
      workload('web', { app: 'web', track: 'stable' }),
      workload('canary', { app: 'web', track: 'canary' }),
      workload('old', { app: 'web' }, { app: 'web', track: 'stable' }, { replicas: 0 }),
      make(
        'Deployment',
        'web',
        { spec: { selector: { matchLabels: { app: 'web' } }, template: { metadata: { labels: { app: 'web' } } } } },
        { namespace: 'data' },
      ),
    ];
    expect(checkSelectors(snapshotOf(objects), NOW)).toEqual([]);
  });
});
