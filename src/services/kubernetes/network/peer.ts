// One end of a connection as policies see it: labels, addresses, ports.

import {
  booleanAt,
  fieldsAt,
  type KubeObject,
  listAt,
  mapAt,
  nameOf,
  namespaceOf,
  numberAt,
  textAt,
} from '../../../upstream/kubernetes/objects.ts';

export interface PeerPort {
  readonly name: string | undefined;
  readonly number: number;
  readonly protocol: string;
}

export interface Peer {
  /** `pod/web-1`, or `deployment/web` when there is no pod yet. */
  readonly ref: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly namespaceLabels: Readonly<Record<string, string>>;
  readonly addresses: readonly string[];
  /** Policies need not apply to it: the network plugin decides. */
  readonly isHostNetwork: boolean;
  /** Declared ports: a hint, a process may listen on others. */
  readonly ports: readonly PeerPort[];
}

const portsOf = (spec: unknown): readonly PeerPort[] => {
  const sidecars = listAt(spec, 'initContainers').filter((container) => textAt(container, 'restartPolicy') === 'Always');
  return [...listAt(spec, 'containers'), ...sidecars].flatMap((container) =>
    listAt(container, 'ports').map((port) => ({
      name: textAt(port, 'name'),
      number: numberAt(port, 'containerPort') ?? 0,
      protocol: textAt(port, 'protocol') ?? 'TCP',
    })),
  );
};

type Labels = Readonly<Record<string, string>>;

/** Every namespace has this label since Kubernetes 1.22; others are known only where namespaces may be read. */
export const minimalNamespaceLabels = (namespace: string): Labels => ({ 'kubernetes.io/metadata.name': namespace });

export const podPeer = (pod: KubeObject, namespaceLabels: Labels): Peer => ({
  ref: `pod/${nameOf(pod)}`,
  namespace: namespaceOf(pod) ?? '',
  labels: mapAt(pod, 'metadata', 'labels'),
  namespaceLabels,
  addresses: [...new Set([textAt(pod, 'status', 'podIP'), ...listAt(pod, 'status', 'podIPs').map((one) => textAt(one, 'ip'))])].filter(
    (address) => address !== undefined,
  ),
  isHostNetwork: booleanAt(pod, 'spec', 'hostNetwork'),
  ports: portsOf(pod['spec']),
});

/** What the pods of a workload will be, from its template. */
export const templatePeer = (workload: KubeObject, ref: string, namespaceLabels: Labels): Peer => {
  const template = fieldsAt(workload, 'spec', 'template');
  return {
    ref,
    namespace: namespaceOf(workload) ?? '',
    labels: mapAt(template, 'metadata', 'labels'),
    namespaceLabels,
    addresses: [],
    isHostNetwork: booleanAt(template, 'spec', 'hostNetwork'),
    ports: portsOf(template['spec']),
  };
};
