// Rows of the core group (printers.go), without pods.
import { type JsonObject, listAt, numberAt, objectAt, objectsAt, textAt, textsAt, timeAt } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { printPod } from './pods.ts';
import {
  ageOf,
  type Cell,
  containerImages,
  containerNames,
  type Printer,
  type Printers,
  text,
  toAccessModes,
  toAge,
  toLabels,
  toLoadBalancer,
  toShortList,
} from './printer.ts';

const printNameAndAge: Printer = (object, context) => [object.metadata.name, ageOf(object, context)];

const size = (object: KubernetesObject, key: string): number => Object.keys(objectAt(object, key)).length;

const printNode: Printer = (node, context): Cell[] => {
  const ready = objectsAt(node, 'status', 'conditions').find((condition) => condition['type'] === 'Ready');
  const status = ready === undefined ? 'Unknown' : ready['status'] === 'True' ? 'Ready' : 'NotReady';
  const info = objectAt(node, 'status', 'nodeInfo');
  const architecture = textAt(info, 'architecture');
  const kernel = textAt(info, 'kernelVersion') || '<unknown>';
  return [
    node.metadata.name,
    objectAt(node, 'spec')['unschedulable'] === true ? `${status},SchedulingDisabled` : status,
    nodeRoles(node).join(',') || '<none>',
    ageOf(node, context),
    textAt(info, 'kubeletVersion'),
    nodeAddress(node, 'InternalIP'),
    nodeAddress(node, 'ExternalIP'),
    textAt(info, 'osImage') || '<unknown>',
    architecture === '' ? kernel : `${kernel} (${architecture})`,
    textAt(info, 'containerRuntimeVersion') || '<unknown>',
  ];
};

const nodeAddress = (node: KubernetesObject, type: string): string =>
  textAt(
    objectsAt(node, 'status', 'addresses').find((address) => address['type'] === type),
    'address',
  ) || '<none>';

const ROLE_PREFIX = 'node-role.kubernetes.io/';

const nodeRoles = (node: KubernetesObject): string[] => {
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith(ROLE_PREFIX) && key.length > ROLE_PREFIX.length) roles.add(key.slice(ROLE_PREFIX.length));
    else if (key === 'kubernetes.io/role' && value !== '') roles.add(value);
  }
  return [...roles].sort();
};

const printService: Printer = (service, context): Cell[] => [
  service.metadata.name,
  textAt(service, 'spec', 'type'),
  text(listAt(service, 'spec', 'clusterIPs')[0]) || '<none>',
  externalAddress(service),
  objectsAt(service, 'spec', 'ports').map(toPort).join(',') || '<none>',
  ageOf(service, context),
  toLabels(service, 'spec', 'selector'),
];

const toPort = (port: JsonObject): string => {
  const node = numberAt(port, 'nodePort');
  return `${numberAt(port, 'port')}${node > 0 ? `:${node}` : ''}/${textAt(port, 'protocol')}`;
};

const externalAddress = (service: KubernetesObject): string => {
  const type = textAt(service, 'spec', 'type');
  const external = listAt(service, 'spec', 'externalIPs').map((address) => text(address));
  if (type === 'ClusterIP' || type === 'NodePort') return external.join(',') || '<none>';
  if (type === 'ExternalName') return textAt(service, 'spec', 'externalName');
  if (type !== 'LoadBalancer') return '<unknown>';
  const balancer = toLoadBalancer(objectAt(service, 'status'));
  return [...(balancer === '' ? [] : [balancer]), ...external].join(',') || '<pending>';
};

const printEndpoints: Printer = (endpoints, context): Cell[] => {
  const subsets = objectsAt(endpoints, 'subsets');
  const all = subsets.flatMap((subset) => {
    const addresses = objectsAt(subset, 'addresses').map((address) => textAt(address, 'ip'));
    const ports = objectsAt(subset, 'ports');
    if (ports.length === 0) return addresses;
    return ports.flatMap((port) => addresses.map((address) => `${address}:${numberAt(port, 'port')}`));
  });
  return [endpoints.metadata.name, subsets.length === 0 ? '<none>' : toShortList(all, ''), ageOf(endpoints, context)];
};

const printEvent: Printer = (event, context): Cell[] => {
  const eventTime = timeAt(event, 'eventTime');
  const first = toAge(timeAt(event, 'firstTimestamp') ?? eventTime, context);
  const lastTime = timeAt(event, 'lastTimestamp');
  const hasSeries = Object.keys(objectAt(event, 'series')).length > 0;
  const last = lastTime === undefined ? first : toAge(lastTime, context);
  const involved = objectAt(event, 'involvedObject');
  const kind = textAt(involved, 'kind').toLowerCase();
  const name = textAt(involved, 'name');
  return [
    hasSeries ? toAge(timeAt(event, 'series', 'lastObservedTime'), context) : last,
    textAt(event, 'type'),
    textAt(event, 'reason'),
    name === '' ? kind : `${kind}/${name}`,
    textAt(involved, 'fieldPath'),
    eventSource(event),
    textAt(event, 'message').trim(),
    first,
    hasSeries ? numberAt(event, 'series', 'count') : numberAt(event, 'count') || 1,
    event.metadata.name,
  ];
};

const eventSource = (event: KubernetesObject): string => {
  const component = textAt(event, 'source', 'component') || textAt(event, 'reportingComponent');
  const instance = textAt(event, 'source', 'host') || textAt(event, 'reportingInstance');
  return instance === '' ? component : `${component}, ${instance}`;
};

const phaseOf = (object: KubernetesObject): string =>
  object.metadata.deletionTimestamp === undefined ? textAt(object, 'status', 'phase') : 'Terminating';

const classOf = (object: KubernetesObject): string =>
  object.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? textAt(object, 'spec', 'storageClassName');

const printPersistentVolume: Printer = (volume, context): Cell[] => {
  const claim = objectAt(volume, 'spec')['claimRef'];
  return [
    volume.metadata.name,
    textAt(volume, 'spec', 'capacity', 'storage') || '0',
    toAccessModes(listAt(volume, 'spec', 'accessModes')),
    textAt(volume, 'spec', 'persistentVolumeReclaimPolicy'),
    phaseOf(volume),
    claim === undefined ? '' : `${textAt(claim, 'namespace')}/${textAt(claim, 'name')}`,
    classOf(volume),
    textAt(volume, 'spec', 'volumeAttributesClassName') || '<unset>',
    textAt(volume, 'status', 'reason'),
    ageOf(volume, context),
    textAt(volume, 'spec', 'volumeMode') || '<unset>',
  ];
};

const printPersistentVolumeClaim: Printer = (claim, context): Cell[] => {
  const volume = textAt(claim, 'spec', 'volumeName');
  const isBound = volume !== '';
  return [
    claim.metadata.name,
    phaseOf(claim),
    volume,
    isBound ? textAt(claim, 'status', 'capacity', 'storage') || '0' : '',
    isBound ? toAccessModes(listAt(claim, 'status', 'accessModes')) : '',
    classOf(claim),
    textAt(claim, 'spec', 'volumeAttributesClassName') || '<unset>',
    ageOf(claim, context),
    textAt(claim, 'spec', 'volumeMode') || '<unset>',
  ];
};

const printResourceQuota: Printer = (quota, context): Cell[] => {
  const used = textsAt(quota, 'status', 'used');
  const hard = Object.entries(textsAt(quota, 'status', 'hard')).sort(([left], [right]) => (left < right ? -1 : 1));
  const texts = hard.map(([name, limit]) => ({ isLimit: name.startsWith('limits.'), text: `${name}: ${used[name] ?? '0'}/${limit}` }));
  const join = (isLimit: boolean): string =>
    texts
      .filter((entry) => entry.isLimit === isLimit)
      .map((entry) => entry.text)
      .join(', ');
  return [quota.metadata.name, join(false), join(true), ageOf(quota, context)];
};

const printReplicationController: Printer = (controller, context): Cell[] => {
  const containers = objectsAt(controller, 'spec', 'template', 'spec', 'containers');
  return [
    controller.metadata.name,
    numberAt(controller, 'spec', 'replicas'),
    numberAt(controller, 'status', 'replicas'),
    numberAt(controller, 'status', 'readyReplicas'),
    ageOf(controller, context),
    containerNames(containers),
    containerImages(containers),
    toLabels(controller, 'spec', 'selector'),
  ];
};

const printPodTemplate: Printer = (template): Cell[] => {
  const containers = objectsAt(template, 'template', 'spec', 'containers');
  return [
    template.metadata.name,
    containerNames(containers),
    containerImages(containers),
    toLabels(template, 'template', 'metadata', 'labels'),
  ];
};

const printComponentStatus: Printer = (component): Cell[] => {
  const healthy = objectsAt(component, 'conditions').find((condition) => condition['type'] === 'Healthy');
  const status = healthy === undefined ? 'Unknown' : healthy['status'] === 'True' ? 'Healthy' : 'Unhealthy';
  return [component.metadata.name, status, textAt(healthy, 'message'), textAt(healthy, 'error')];
};

export const CORE_PRINTERS: Printers = {
  pods: printPod,
  nodes: printNode,
  services: printService,
  endpoints: printEndpoints,
  events: printEvent,
  'events.events.k8s.io': printEvent,
  namespaces: (namespace, context) => [namespace.metadata.name, textAt(namespace, 'status', 'phase'), ageOf(namespace, context)],
  secrets: (secret, context) => [secret.metadata.name, textAt(secret, 'type'), size(secret, 'data'), ageOf(secret, context)],
  configmaps: (map, context) => [map.metadata.name, size(map, 'data') + size(map, 'binaryData'), ageOf(map, context)],
  serviceaccounts: printNameAndAge,
  persistentvolumes: printPersistentVolume,
  persistentvolumeclaims: printPersistentVolumeClaim,
  resourcequotas: printResourceQuota,
  replicationcontrollers: printReplicationController,
  podtemplates: printPodTemplate,
  componentstatuses: printComponentStatus,
};
