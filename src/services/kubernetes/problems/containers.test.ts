import { describe, expect, it } from 'vitest';
import { checkContainers } from './containers.ts';
import { ago, DAY, HOUR, lines, MINUTE, make, NOW, podOf, snapshotOf, warn } from './objects.suite.ts';

const crashing = { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 5m0s restarting failed container' } };
const killed = { terminated: { reason: 'OOMKilled', exitCode: 137, finishedAt: ago(2 * MINUTE) } };

describe('container state', () => {
  it('finds nothing in pods that run', () => {
    expect(checkContainers(snapshotOf([podOf('web', 'a'), podOf('web', 'b')]), NOW)).toEqual([]);
  });

  it('makes one problem of the pods of one Deployment, with the memory limit and the worst pod', () => {
    const pods = [
      podOf('web', 'a', { ready: false, state: crashing, lastState: killed, restarts: 7, limits: { memory: '256Mi' } }),
      podOf('web', 'b', { lastState: { terminated: { reason: 'OOMKilled', exitCode: 137, finishedAt: ago(9 * MINUTE) } }, restarts: 2 }),
      podOf('web', 'c'),
    ];
    const [problem, ...more] = checkContainers(
      snapshotOf(pods, [warn('Pod', 'web-abc-a', 'BackOff', 'Back-off restarting failed container')]),
      NOW,
    );
    expect(more).toEqual([]);
    expect(problem).toMatchObject({
      severity: 'warning',
      ref: { kind: 'deployment', name: 'web', namespace: 'shop' },
      reason: 'CrashLoopBackOff (OOMKilled)',
      since: NOW - 20 * MINUTE,
      detail:
        'container main in CrashLoopBackOff in 1 of 3 pods; 9 restarts in 2 pods; last exit OOMKilled (exit 137) 2m ago; memory limit 256Mi',
      evidence: ['also web-abc-b: 2 restarts, last OOMKilled (exit 137) 9m ago'],
      next: { tool: 'kubernetes_get_logs', arguments: { name: 'web-abc-a', container: 'main', previous: true } },
    });
  });

  it('is critical when no pod is ready', () => {
    expect(checkContainers(snapshotOf([podOf('web', 'a', { ready: false, state: crashing })]), NOW)[0]?.severity).toBe('critical');
  });

  it('tells an error exit that was restarted, and forgets it after an hour', () => {
    const restarted = (finishedAt: string) =>
      snapshotOf([podOf('web', 'a', { restarts: 1, lastState: { terminated: { reason: 'Error', exitCode: 2, finishedAt } } })]);
    expect(lines(checkContainers(restarted(ago(5 * MINUTE)), NOW))).toEqual([
      'warning deployment/web Error: container main restarted in its only pod; 1 restart; last exit Error (exit 2) 5m ago',
    ]);
    expect(checkContainers(restarted(ago(2 * HOUR)), NOW)).toEqual([]);
  });

  it('says why a container cannot be started', () => {
    const state = { waiting: { reason: 'RunContainerError', message: 'exec: "nope": executable file not found in $PATH' } };
    expect(lines(checkContainers(snapshotOf([podOf('web', 'a', { ready: false, state })]), NOW))).toEqual([
      'critical deployment/web RunContainerError: container main cannot start in its only pod; exec: "nope": executable file not found in $PATH',
    ]);
  });

  it('tells a loop also between two back-offs, while the container has just ended', () => {
    const state = { terminated: { reason: 'Error', exitCode: 3, finishedAt: ago(MINUTE) } };
    expect(checkContainers(snapshotOf([podOf('web', 'a', { ready: false, state, restarts: 4 })]), NOW)[0]?.reason).toBe(
      'CrashLoop (Error)',
    );
  });

  it('gives the last words of the container', () => {
    const lastState = {
      terminated: { reason: 'StartError', exitCode: 128, message: 'exec: "/nope": no such file', finishedAt: ago(MINUTE) },
    };
    expect(checkContainers(snapshotOf([podOf('web', 'a', { state: crashing, lastState })]), NOW)[0]?.evidence).toEqual([
      'last words: exec: "/nope": no such file',
    ]);
  });

  it('leaves out a clean exit, ended pods and pods being deleted', () => {
    const objects = [
      podOf('web', 'a', { lastState: { terminated: { reason: 'Completed', exitCode: 0, finishedAt: ago(MINUTE) } } }),
      podOf('web', 'b', { phase: 'Failed', state: killed }),
      podOf('web', 'c', { state: crashing }, { deleted: ago(MINUTE) }),
    ];
    expect(checkContainers(snapshotOf(objects), NOW)).toEqual([]);
  });

  it('tells what the newest revision changed, without values that may be secret', () => {
    const set = (revision: number, container: Record<string, unknown>) =>
      make(
        'ReplicaSet',
        `web-${revision}`,
        { spec: { template: { spec: { containers: [{ name: 'main', ...container }] } } } },
        {
          owner: { kind: 'Deployment', name: 'web' },
          annotations: { 'deployment.kubernetes.io/revision': String(revision) },
          created: ago(revision === 2 ? HOUR : DAY),
        },
      );
    const objects = [
      podOf('web', 'a', { state: crashing }),
      set(1, {
        image: 'r.example.com/web:1',
        resources: { limits: { memory: '512Mi' } },
        env: [{ name: 'PASSWORD', value: 'old-secret' }],
      }),
      set(2, {
        image: 'r.example.com/web:2',
        resources: { limits: { memory: '256Mi' } },
        env: [{ name: 'PASSWORD', value: 'new-secret' }],
      }),
    ];
    expect(checkContainers(snapshotOf(objects), NOW)[0]?.evidence).toEqual([
      'revision 2, 60m ago, changed resources.limits.memory 512Mi -> 256Mi, image tag 1 -> 2, env.PASSWORD.value',
    ]);
  });
});
