import { describe, expect, it } from 'vitest';
import { podAmount } from './requests.ts';

const container = (cpu: string, more: object = {}) => ({ resources: { requests: { cpu } }, ...more });
const sidecar = (cpu: string) => container(cpu, { restartPolicy: 'Always' });
const cpu = (spec: object): number => podAmount({ spec }, 'requests', 'cpu');

describe('what a pod asks of a node', () => {
  it('is the sum of its containers and sidecars', () => {
    expect(cpu({ containers: [container('100m'), container('200m')], initContainers: [sidecar('50m')] })).toBeCloseTo(0.35);
  });

  it('is what its largest init container asks for, when that is more', () => {
    expect(cpu({ containers: [container('100m')], initContainers: [container('300m'), container('200m')] })).toBeCloseTo(0.3);
  });

  it('counts the sidecars that run beside an init container, and only those before it', () => {
    const containers = [container('100m')];
    expect(cpu({ containers, initContainers: [sidecar('50m'), container('300m')] })).toBeCloseTo(0.35);
    expect(cpu({ containers, initContainers: [container('300m'), sidecar('50m')] })).toBeCloseTo(0.3);
  });

  it('adds the overhead, and lets the amount of the whole pod take the place of the others', () => {
    expect(cpu({ containers: [container('100m')], overhead: { cpu: '10m' } })).toBeCloseTo(0.11);
    expect(cpu({ containers: [container('100m')], resources: { requests: { cpu: '1' } } })).toBe(1);
    expect(cpu({})).toBe(0);
  });
});
