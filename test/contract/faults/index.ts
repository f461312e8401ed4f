// All planted faults, and what the cluster around them has.

import { CLUSTER_FAULTS } from './cluster.ts';
import { CONTROL_FAULTS } from './control.ts';
import type { PlantedFault } from './fault.ts';
import { NODE, node, object, type Planted } from './objects.ts';
import { PLACEMENT_FAULTS } from './placement.ts';
import { POD_FAULTS } from './pods.ts';
import { STARTING_FAULTS } from './starting.ts';
import { gatewayDefinitions, TRAFFIC_FAULTS } from './traffic.ts';

export const FAULTS: readonly PlantedFault[] = [
  ...POD_FAULTS,
  ...STARTING_FAULTS,
  ...PLACEMENT_FAULTS,
  ...TRAFFIC_FAULTS,
  ...CONTROL_FAULTS,
  ...CLUSTER_FAULTS,
];

export const namespaceOf = ({ name }: Pick<PlantedFault, 'name'>): string => `fault-${name.replaceAll(' ', '-')}`;

const NAMESPACE_LABELS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'fault-pod-security-refuses': { 'pod-security.kubernetes.io/enforce': 'baseline' },
};

export const toNamespace = (name: string): Planted =>
  object(
    'Namespace',
    '',
    name,
    { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } },
    {
      labels: { 'kubernetes.io/metadata.name': name, ...NAMESPACE_LABELS[name] },
    },
  );

/** What every fault may count on: two nodes, one of them tainted, a storage class, an ingress class, the Gateway API. */
export const surroundings = (): readonly Planted[] => [
  ...gatewayDefinitions,
  node(NODE),
  node('fault-node-2', { spec: { taints: [{ key: 'fault.test/dedicated', value: 'batch', effect: 'NoSchedule' }] } }),
  object('StorageClass', '', 'fault-standard', {
    provisioner: 'disks.example.test',
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'Immediate',
  }),
  object('IngressClass', '', 'fault-nginx', { spec: { controller: 'example.test/ingress' } }),
];

/** Every fault with its namespace. */
export const plantAll = (): readonly Planted[] =>
  FAULTS.flatMap((fault) => {
    const namespace = namespaceOf(fault);
    const objects = fault.plant(namespace);
    const isThere = fault.kind !== undefined || objects.some(({ kind }) => kind === 'Namespace');
    return isThere ? objects : [toNamespace(namespace), ...objects];
  });
