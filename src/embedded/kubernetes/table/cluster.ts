// Rows of networking, discovery, storage, rbac and the groups that run the cluster itself (printers.go; kube-aggregator for APIService).
import { at, isTrueAt, type JsonObject, listAt, numberAt, objectAt, objectsAt, textAt, timeAt } from '../json.ts';
import { toLabelSelector } from '../label-selector.ts';
import type { KubernetesObject } from '../object.ts';
import { hasCondition } from './pods.ts';
import { ageOf, type Cell, type Printer, type Printers, text, toAge, toHumanDuration, toLoadBalancer, toShortList } from './printer.ts';

const printIngress: Printer = (ingress, context): Cell[] => {
  const rules = objectsAt(ingress, 'spec', 'rules');
  const hosts = rules.map((rule) => textAt(rule, 'host')).filter((host) => host !== '');
  const shown = hosts.slice(0, 3).join(',') || '*';
  return [
    ingress.metadata.name,
    textAt(ingress, 'spec', 'ingressClassName') || '<none>',
    rules.length > 3 && hosts.length >= 3 ? `${shown} + ${rules.length - 3} more...` : shown,
    toLoadBalancer(objectAt(ingress, 'status')),
    listAt(ingress, 'spec', 'tls').length > 0 ? '80, 443' : '80',
    ageOf(ingress, context),
  ];
};

const printIngressClass: Printer = (ingressClass, context): Cell[] => {
  const isDefault = ingressClass.metadata.annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true';
  const parameters = at(ingressClass, 'spec', 'parameters');
  const group = textAt(parameters, 'apiGroup');
  return [
    isDefault ? `${ingressClass.metadata.name} (default)` : ingressClass.metadata.name,
    textAt(ingressClass, 'spec', 'controller'),
    parameters === undefined ? '<none>' : `${textAt(parameters, 'kind')}${group === '' ? '' : `.${group}`}/${textAt(parameters, 'name')}`,
    ageOf(ingressClass, context),
  ];
};

const printEndpointSlice: Printer = (slice, context): Cell[] => {
  const ports = objectsAt(slice, 'ports').map((port) => text(port['port']) || textAt(port, 'name') || '*');
  const addresses = objectsAt(slice, 'endpoints').flatMap((endpoint) => listAt(endpoint, 'addresses').map((address) => text(address)));
  return [
    slice.metadata.name,
    textAt(slice, 'addressType'),
    toShortList(ports, '<unset>'),
    toShortList(addresses, '<unset>'),
    ageOf(slice, context),
  ];
};

const printIPAddress: Printer = (address, context): Cell[] => {
  const parent = at(address, 'spec', 'parentRef');
  const group = textAt(parent, 'group');
  const namespace = textAt(parent, 'namespace');
  const resource = `${textAt(parent, 'resource')}${group === '' ? '' : `.${group}`}`.toLowerCase();
  const path = [resource, ...(namespace === '' ? [] : [namespace]), textAt(parent, 'name')].join('/');
  return [address.metadata.name, parent === undefined ? '<none>' : path, ageOf(address, context)];
};

const printBinding: Printer = (binding, context): Cell[] => {
  const subjects = objectsAt(binding, 'subjects');
  const names = (kind: string): string =>
    subjects
      .filter((subject) => subject['kind'] === kind)
      .map((subject) =>
        kind === 'ServiceAccount' ? `${textAt(subject, 'namespace')}/${textAt(subject, 'name')}` : textAt(subject, 'name'),
      )
      .join(', ');
  const role = `${textAt(binding, 'roleRef', 'kind')}/${textAt(binding, 'roleRef', 'name')}`;
  return [binding.metadata.name, role, ageOf(binding, context), names('User'), names('Group'), names('ServiceAccount')];
};

const printStorageClass: Printer = (storageClass, context): Cell[] => [
  storageClass.metadata.name,
  textAt(storageClass, 'provisioner'),
  textAt(storageClass, 'reclaimPolicy') || 'Delete',
  textAt(storageClass, 'volumeBindingMode') || 'Immediate',
  isTrueAt(storageClass, 'allowVolumeExpansion'),
  ageOf(storageClass, context),
];

const printDriver: Printer = (driver, context): Cell[] => {
  const requests = at(driver, 'spec', 'tokenRequests');
  return [
    driver.metadata.name,
    at(driver, 'spec', 'attachRequired') !== false,
    isTrueAt(driver, 'spec', 'podInfoOnMount'),
    isTrueAt(driver, 'spec', 'storageCapacity'),
    requests === undefined
      ? '<unset>'
      : objectsAt(driver, 'spec', 'tokenRequests')
          .map((request) => textAt(request, 'audience'))
          .join(','),
    isTrueAt(driver, 'spec', 'requiresRepublish'),
    listAt(driver, 'spec', 'volumeLifecycleModes')
      .map((mode) => text(mode))
      .join(',') || '<none>',
    ageOf(driver, context),
  ];
};

const printVolumeAttachment: Printer = (attachment, context): Cell[] => [
  attachment.metadata.name,
  textAt(attachment, 'spec', 'attacher'),
  textAt(attachment, 'spec', 'source', 'persistentVolumeName'),
  textAt(attachment, 'spec', 'nodeName'),
  isTrueAt(attachment, 'status', 'attached'),
  ageOf(attachment, context),
];

const printSigningRequest: Printer = (request, context): Cell[] => {
  const seconds = at(request, 'spec', 'expirationSeconds');
  return [
    request.metadata.name,
    ageOf(request, context),
    textAt(request, 'spec', 'signerName') || '<none>',
    textAt(request, 'spec', 'username'),
    typeof seconds === 'number' ? toHumanDuration(seconds * 1000) : '<none>',
    signingStatus(request),
  ];
};

const signingStatus = (request: KubernetesObject): string => {
  const types = objectsAt(request, 'status', 'conditions').map((condition) => textAt(condition, 'type'));
  const decision = types.includes('Denied') ? 'Denied' : types.includes('Approved') ? 'Approved' : 'Pending';
  return [
    decision,
    ...(types.includes('Failed') ? ['Failed'] : []),
    ...(textAt(request, 'status', 'certificate') === '' ? [] : ['Issued']),
  ].join(',');
};

const printWebhooks: Printer = (configuration, context) => [
  configuration.metadata.name,
  listAt(configuration, 'webhooks').length,
  ageOf(configuration, context),
];

const printAdmissionPolicy =
  (key: string): Printer =>
  (policy, context) => {
    const kind = objectAt(policy, 'spec', 'paramKind');
    const parameter = Object.keys(kind).length === 0 ? '<unset>' : `${textAt(kind, 'apiVersion')}/${textAt(kind, 'kind')}`;
    return [policy.metadata.name, listAt(policy, 'spec', key).length, parameter, ageOf(policy, context)];
  };

const printAdmissionBinding: Printer = (binding, context): Cell[] => {
  const reference = objectAt(binding, 'spec', 'paramRef');
  const name = textAt(reference, 'name');
  const parameter = name === '' ? '<unset>' : `${textAt(reference, 'namespace') || '*'}/${name}`;
  return [binding.metadata.name, textAt(binding, 'spec', 'policyName'), parameter, ageOf(binding, context)];
};

const printApiService: Printer = (service, context): Cell[] => {
  const reference = at(service, 'spec', 'service');
  const available = objectsAt(service, 'status', 'conditions').find((condition) => condition['type'] === 'Available');
  const status = textAt(available, 'status') || 'Unknown';
  const reason = textAt(available, 'reason');
  return [
    service.metadata.name,
    reference === undefined || reference === null ? 'Local' : `${textAt(reference, 'namespace')}/${textAt(reference, 'name')}`,
    status === 'True' || reason === '' ? status : `${status} (${reason})`,
    ageOf(service, context),
  ];
};

const printFlowSchema: Printer = (schema, context): Cell[] => {
  const dangling = objectsAt(schema, 'status', 'conditions').find((condition) => condition['type'] === 'Dangling');
  return [
    schema.metadata.name,
    textAt(schema, 'spec', 'priorityLevelConfiguration', 'name'),
    numberAt(schema, 'spec', 'matchingPrecedence'),
    textAt(schema, 'spec', 'distinguisherMethod', 'type') || '<none>',
    ageOf(schema, context),
    textAt(dangling, 'status') || '?',
  ];
};

const printPriorityLevel: Printer = (level, context): Cell[] => {
  const limited = objectAt(level, 'spec', 'limited');
  const queuing = objectAt(limited, 'limitResponse', 'queuing');
  const cell = (source: JsonObject, key: string): Cell => {
    const value = source[key];
    return typeof value === 'number' ? value : '<none>';
  };
  return [
    level.metadata.name,
    textAt(level, 'spec', 'type'),
    cell(limited, 'nominalConcurrencyShares'),
    cell(queuing, 'queues'),
    cell(queuing, 'handSize'),
    cell(queuing, 'queueLengthLimit'),
    ageOf(level, context),
  ];
};

const printPriorityClass: Printer = (priority, context): Cell[] => [
  priority.metadata.name,
  numberAt(priority, 'value'),
  isTrueAt(priority, 'globalDefault'),
  ageOf(priority, context),
  textAt(priority, 'preemptionPolicy'),
];

const printStorageMigration: Printer = (migration): Cell[] => {
  const types = objectsAt(migration, 'status', 'conditions').filter((condition) => condition['status'] === 'True');
  const group = textAt(migration, 'spec', 'resource', 'group');
  const resource = textAt(migration, 'spec', 'resource', 'resource');
  const last = types.findLast((condition) => ['Running', 'Failed', 'Succeeded'].includes(textAt(condition, 'type')));
  return [migration.metadata.name, group === '' ? resource : `${resource}.${group}`, textAt(last, 'type') || 'Unknown'];
};

const printClaim: Printer = (claim, context): Cell[] => {
  const isDeleted = claim.metadata.deletionTimestamp !== undefined;
  const states = isDeleted ? ['deleted'] : [];
  if (at(claim, 'status', 'allocation') === undefined) states.push(...(isDeleted ? [] : ['pending']));
  else states.push('allocated', ...(listAt(claim, 'status', 'reservedFor').length > 0 ? ['reserved'] : []));
  return [claim.metadata.name, states.join(','), ageOf(claim, context)];
};

const printNameAndAge: Printer = (object, context) => [object.metadata.name, ageOf(object, context)];

const printDefinition: Printer = (definition): Cell[] => {
  const versions = objectsAt(definition, 'spec', 'versions')
    .filter((version) => isTrueAt(version, 'served'))
    .map((version) => `${textAt(version, 'name')}${isTrueAt(version, 'storage') ? '(storage)' : ''}`);
  return [
    definition.metadata.name,
    textAt(definition, 'spec', 'scope'),
    versions.sort().join(','),
    textAt(definition, 'metadata', 'creationTimestamp'),
    textAt(definition, 'spec', 'group'),
    textAt(definition, 'spec', 'names', 'kind'),
    listAt(definition, 'spec', 'names', 'shortNames')
      .map((name) => text(name))
      .join(','),
    hasCondition(definition, 'Established'),
  ];
};

/** Kinds without columns of their own, roles among them. */
export const printDefault: Printer = (object) => [object.metadata.name, textAt(object, 'metadata', 'creationTimestamp')];

export const CLUSTER_PRINTERS: Printers = {
  'ingresses.networking.k8s.io': printIngress,
  'ingressclasses.networking.k8s.io': printIngressClass,
  'networkpolicies.networking.k8s.io': (policy, context) => [
    policy.metadata.name,
    toLabelSelector(objectAt(policy, 'spec', 'podSelector')).toString() || '<none>',
    ageOf(policy, context),
  ],
  'servicecidrs.networking.k8s.io': (cidr, context) => [
    cidr.metadata.name,
    listAt(cidr, 'spec', 'cidrs')
      .map((block) => text(block))
      .join(','),
    ageOf(cidr, context),
  ],
  'ipaddresses.networking.k8s.io': printIPAddress,
  'endpointslices.discovery.k8s.io': printEndpointSlice,
  'rolebindings.rbac.authorization.k8s.io': printBinding,
  'clusterrolebindings.rbac.authorization.k8s.io': printBinding,
  'storageclasses.storage.k8s.io': printStorageClass,
  'csidrivers.storage.k8s.io': printDriver,
  'csinodes.storage.k8s.io': (node, context) => [node.metadata.name, listAt(node, 'spec', 'drivers').length, ageOf(node, context)],
  'csistoragecapacities.storage.k8s.io': (capacity) => [
    capacity.metadata.name,
    textAt(capacity, 'storageClassName'),
    textAt(capacity, 'capacity') || '<unset>',
  ],
  'volumeattachments.storage.k8s.io': printVolumeAttachment,
  'volumeattributesclasses.storage.k8s.io': (item, context) => [item.metadata.name, textAt(item, 'driverName'), ageOf(item, context)],
  'certificatesigningrequests.certificates.k8s.io': printSigningRequest,
  'leases.coordination.k8s.io': (lease, context) => [lease.metadata.name, textAt(lease, 'spec', 'holderIdentity'), ageOf(lease, context)],
  'priorityclasses.scheduling.k8s.io': printPriorityClass,
  'runtimeclasses.node.k8s.io': (item, context) => [item.metadata.name, textAt(item, 'handler'), ageOf(item, context)],
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': printWebhooks,
  'validatingwebhookconfigurations.admissionregistration.k8s.io': printWebhooks,
  'validatingadmissionpolicies.admissionregistration.k8s.io': printAdmissionPolicy('validations'),
  'mutatingadmissionpolicies.admissionregistration.k8s.io': printAdmissionPolicy('mutations'),
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': printAdmissionBinding,
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io': printAdmissionBinding,
  'flowschemas.flowcontrol.apiserver.k8s.io': printFlowSchema,
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': printPriorityLevel,
  'apiservices.apiregistration.k8s.io': printApiService,
  'customresourcedefinitions.apiextensions.k8s.io': printDefinition,
  'storageversionmigrations.storagemigration.k8s.io': printStorageMigration,
  'deviceclasses.resource.k8s.io': printNameAndAge,
  'resourceclaims.resource.k8s.io': printClaim,
  'resourceclaimtemplates.resource.k8s.io': printNameAndAge,
  'resourceslices.resource.k8s.io': (slice, context) => [
    slice.metadata.name,
    textAt(slice, 'spec', 'nodeName'),
    textAt(slice, 'spec', 'driver'),
    textAt(slice, 'spec', 'pool', 'name'),
    ageOf(slice, context),
  ],
  'devicetaintrules.resource.k8s.io': (rule, context) => {
    const added = timeAt(rule, 'spec', 'taint', 'timeAdded');
    return [
      rule.metadata.name,
      textAt(rule, 'spec', 'taint', 'key'),
      textAt(rule, 'spec', 'taint', 'value'),
      textAt(rule, 'spec', 'taint', 'effect'),
      added === undefined ? '' : toAge(added, context),
      ageOf(rule, context),
    ];
  },
};
