import { describe, expect, it } from 'vitest';
import { HOUR, lines, NOW, podOf, snapshotOf, warn } from './objects.suite.ts';
import { checkReferences } from './references.ts';

const waiting = (reason: string, message = '') => ({ ready: false, state: { waiting: { reason, message } } });
const mount = (message: string, more = {}) => warn('Pod', 'web-abc-a', 'FailedMount', message, more);

describe('references', () => {
  it('names the ConfigMap that a container waits for', () => {
    const pods = [podOf('web', 'a', waiting('CreateContainerConfigError', 'configmap "web-config" not found'))];
    expect(lines(checkReferences(snapshotOf(pods), NOW))).toEqual([
      'critical deployment/web CreateContainerConfigError: configmap "web-config" not found (its only pod)',
    ]);
  });

  it('names the key that a Secret does not have', () => {
    const message = "couldn't find key password in Secret shop/db";
    expect(checkReferences(snapshotOf([podOf('web', 'a', waiting('CreateContainerConfigError', message))]), NOW)[0]?.detail).toContain(
      message,
    );
  });

  it('names the object of a volume that cannot be mounted', () => {
    const event = mount('MountVolume.SetUp failed for volume "config" : secret "web-tls" not found');
    expect(lines(checkReferences(snapshotOf([podOf('web', 'a', waiting('ContainerCreating'))], [event]), NOW))).toEqual([
      'critical deployment/web FailedMount: secret "web-tls" not found (its only pod)',
    ]);
  });

  it('forgets a mount that failed long ago, and one of a pod that runs', () => {
    const message = 'MountVolume.SetUp failed for volume "config" : configmap "web" not found';
    expect(
      checkReferences(snapshotOf([podOf('web', 'a', waiting('ContainerCreating'))], [mount(message, { at: NOW - HOUR })]), NOW),
    ).toEqual([]);
    expect(checkReferences(snapshotOf([podOf('web', 'a')], [mount(message)]), NOW)).toEqual([]);
  });
});
