// Admission webhooks and aggregated APIs without a backend: the first refuse every matching write, the second break clients.

import { conditionOf, fieldsAt, type KubeObject, listAt, nameOf, textAt } from '../../../upstream/kubernetes/objects.ts';
import { placeIn } from './place.ts';
import { lookAt } from './pods.ts';
import { type Check, type Problem, type Ref, someOf, toRef } from './problem.ts';
import { isReadyEndpoint } from './services.ts';
import { labelsOf, type Snapshot } from './snapshot.ts';

const serviceOf = (holder: unknown): Ref | undefined => {
  const service = fieldsAt(holder, 'clientConfig', 'service');
  const name = textAt(service, 'name');
  return name === undefined ? undefined : { kind: 'service', name, namespace: textAt(service, 'namespace') };
};

/** Is the Service there, and does it lead to a ready pod? Undefined: in order, or not to be known. */
const faultOf = (cluster: Snapshot, { name, namespace }: Ref): string | undefined => {
  if (!cluster.isRead('services')) return undefined;
  const service = cluster.find('services', name, namespace);
  if (service === undefined) return `service ${namespace}/${name} does not exist`;
  if (!cluster.isRead('endpointslices') || textAt(service, 'spec', 'type') === 'ExternalName') return undefined;
  const endpoints = cluster
    .list('endpointslices')
    .filter((slice) => textAt(slice, 'metadata', 'namespace') === namespace && labelsOf(slice)['kubernetes.io/service-name'] === name)
    .flatMap((slice) => listAt(slice, 'endpoints'));
  return endpoints.some(isReadyEndpoint) ? undefined : `service ${namespace}/${name} has no ready endpoint`;
};

const ruleWords = (webhook: unknown): string => {
  const resources = listAt(webhook, 'rules').flatMap((rule) => (Array.isArray(rule['resources']) ? rule['resources'].map(String) : []));
  return someOf([...new Set(resources)]) || 'nothing';
};

const judge = (cluster: Snapshot, configuration: KubeObject): readonly Problem[] => {
  const ref = toRef(configuration);
  return listAt(configuration, 'webhooks').flatMap((webhook): readonly Problem[] => {
    const service = serviceOf(webhook);
    const fault = service === undefined ? undefined : faultOf(cluster, service);
    if (service === undefined || fault === undefined) return [];
    const refuses = (textAt(webhook, 'failurePolicy') ?? 'Fail') === 'Fail';
    return [
      {
        severity: refuses ? 'critical' : 'info',
        ref,
        reason: fault.endsWith('exist') ? 'WebhookServiceMissing' : 'WebhookNotReady',
        detail: `webhook ${nameOf({ metadata: webhook })}: ${fault}; failurePolicy ${refuses ? 'Fail: writes of' : 'Ignore: it is passed over for'} ${ruleWords(webhook)}${refuses ? ' are refused' : ''}`,
        at: placeIn(configuration, `webhooks[?name=${textAt(webhook, 'name')}].clientConfig.service.name`),
        because: [service],
        next: lookAt(ref, 'describe'),
      },
    ];
  });
};

const judgeApi = (api: KubeObject): readonly Problem[] => {
  const available = conditionOf(api, 'Available');
  if (available?.status !== 'False') return [];
  const ref = toRef(api);
  const service = {
    kind: 'service',
    name: textAt(api, 'spec', 'service', 'name') ?? '',
    namespace: textAt(api, 'spec', 'service', 'namespace'),
  };
  return [
    {
      severity: 'warning',
      ref,
      reason: available.reason ?? 'ApiUnavailable',
      since: available.changedAt,
      detail: `the API ${nameOf(api)} does not answer: ${available.message ?? ''}`,
      at: placeIn(api, 'status.conditions[?type=Available].status'),
      because: [service],
      next: lookAt(ref, 'describe'),
    },
  ];
};

export const checkAdmission: Check = (cluster) => [
  ...[...cluster.list('validatingwebhookconfigurations'), ...cluster.list('mutatingwebhookconfigurations')].flatMap((one) =>
    judge(cluster, one),
  ),
  ...cluster.list('apiservices').flatMap(judgeApi),
];
