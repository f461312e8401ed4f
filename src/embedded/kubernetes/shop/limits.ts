// The limit range of `shop`: what a container gets that names no amounts of its own.
import type { KubernetesObject } from '../object.ts';

export const LIMIT_RANGE: KubernetesObject = {
  kind: 'LimitRange',
  apiVersion: 'v1',
  metadata: { name: 'defaults', namespace: 'shop' },
  spec: { limits: [{ type: 'Container', default: { memory: '128Mi' }, defaultRequest: { cpu: '20m', memory: '32Mi' } }] },
};
