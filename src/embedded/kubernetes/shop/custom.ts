// A custom kind of the shop with columns of its own, and the aggregated API of metrics-server.
import { DAY, SECOND, type Shop, STORY } from '../../shop.ts';
import { type JsonObject, toTime } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { CLUSTER_AGE } from './app.ts';
import { stamped } from './stamp.ts';

export const CUSTOM_GROUP = 'shop.example.com';

const SCHEMA: JsonObject = {
  description: 'FeatureFlag switches a feature of the shop for a share of its customers.',
  type: 'object',
  required: ['spec'],
  properties: {
    apiVersion: { description: 'APIVersion defines the versioned schema of this representation of an object.', type: 'string' },
    kind: { description: 'Kind is a string value representing the REST resource this object represents.', type: 'string' },
    metadata: { type: 'object' },
    spec: {
      description: 'What is switched, and for whom.',
      type: 'object',
      required: ['service', 'enabled'],
      properties: {
        service: { description: 'Service that reads the flag.', type: 'string' },
        enabled: { description: 'Whether the feature is on.', type: 'boolean' },
        share: {
          description: 'Percentage of customers that see it.',
          type: 'integer',
          format: 'int32',
          minimum: 0,
          maximum: 100,
          default: 100,
        },
        owner: { description: 'Team that answers for it.', type: 'string' },
      },
    },
    status: {
      description: 'What the services report.',
      type: 'object',
      properties: {
        conditions: {
          type: 'array',
          items: {
            type: 'object',
            properties: {
              type: { type: 'string' },
              status: { type: 'string' },
              reason: { type: 'string' },
              message: { type: 'string' },
              lastTransitionTime: { type: 'string', format: 'date-time' },
            },
          },
        },
        observedAt: { type: 'string', format: 'date-time' },
      },
    },
  },
};

const NAMES: JsonObject = {
  plural: 'featureflags',
  singular: 'featureflag',
  shortNames: ['ff'],
  kind: 'FeatureFlag',
  listKind: 'FeatureFlagList',
  categories: ['shop'],
};

const established = (type: string, reason: string, message: string, at: number): JsonObject => ({
  type,
  status: 'True',
  lastTransitionTime: toTime(at),
  reason,
  message,
});

const definition = (shop: Shop): KubernetesObject => {
  const createdAt = shop.before(92 * DAY);
  return stamped(
    shop,
    {
      kind: 'CustomResourceDefinition',
      apiVersion: 'apiextensions.k8s.io/v1',
      metadata: { name: `featureflags.${CUSTOM_GROUP}` },
      spec: {
        group: CUSTOM_GROUP,
        names: NAMES,
        scope: 'Namespaced',
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: SCHEMA },
            subresources: { status: {} },
            additionalPrinterColumns: [
              { name: 'Service', type: 'string', jsonPath: '.spec.service' },
              { name: 'Enabled', type: 'boolean', jsonPath: '.spec.enabled' },
              { name: 'Share', type: 'integer', jsonPath: '.spec.share' },
              { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
              { name: 'Owner', type: 'string', priority: 1, jsonPath: '.spec.owner' },
              { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
            ],
            selectableFields: [{ jsonPath: '.spec.service' }],
          },
        ],
        conversion: { strategy: 'None' },
      },
    },
    {
      createdAt,
      generation: 1,
      manager: 'kubectl-client-side-apply',
      status: {
        conditions: [
          established('NamesAccepted', 'NoConflicts', 'no conflicts found', createdAt),
          established('Established', 'InitialNamesAccepted', 'the initial names have been accepted', createdAt),
        ],
        acceptedNames: NAMES,
        storedVersions: ['v1'],
      },
      statusManager: 'kube-apiserver',
      statusAt: createdAt,
    },
  );
};

const flag = (shop: Shop, name: string, age: number, spec: JsonObject, isReady: boolean): KubernetesObject => {
  const createdAt = shop.before(age);
  const observedAt = createdAt + 30 * SECOND;
  const ready = {
    type: 'Ready',
    status: isReady ? 'True' : 'False',
    reason: isReady ? 'Observed' : 'NoConsumer',
    message: isReady ? 'the service reads the flag' : 'no pod has read the flag yet',
    lastTransitionTime: toTime(observedAt),
  };
  return stamped(
    shop,
    { apiVersion: `${CUSTOM_GROUP}/v1`, kind: 'FeatureFlag', metadata: { name, namespace: 'shop' }, spec },
    {
      createdAt,
      generation: 1,
      manager: 'kubectl-client-side-apply',
      status: { conditions: [ready], observedAt: toTime(observedAt) },
      statusManager: 'flag-controller',
      statusAt: observedAt,
    },
  );
};

const apiService = (shop: Shop, group: string, version: string, age: number, service: JsonObject | undefined): KubernetesObject => {
  const createdAt = shop.before(age);
  const isLocal = service === undefined;
  const status = {
    conditions: [
      {
        type: 'Available',
        status: 'True',
        lastTransitionTime: toTime(createdAt + 20 * SECOND),
        reason: isLocal ? 'Local' : 'Passed',
        message: isLocal ? 'Local APIServices are always available' : 'all checks passed',
      },
    ],
  };
  return stamped(
    shop,
    {
      kind: 'APIService',
      apiVersion: 'apiregistration.k8s.io/v1',
      metadata: {
        name: `${version}.${group}`,
        labels: isLocal ? { 'kube-aggregator.kubernetes.io/automanaged': 'true' } : { 'k8s-app': 'metrics-server' },
      },
      spec: {
        ...(isLocal ? {} : { service }),
        group,
        version,
        ...(isLocal ? {} : { insecureSkipTLSVerify: true }),
        groupPriorityMinimum: isLocal ? 1000 : 100,
        versionPriority: 100,
      },
    },
    { createdAt, manager: 'kube-apiserver', status, statusManager: 'kube-apiserver', statusAt: createdAt },
  );
};

export const customObjects = (shop: Shop): KubernetesObject[] => [
  definition(shop),
  apiService(shop, CUSTOM_GROUP, 'v1', 92 * DAY, undefined),
  apiService(shop, 'metrics.k8s.io', 'v1beta1', CLUSTER_AGE, { namespace: 'kube-system', name: 'metrics-server', port: 443 }),
  flag(shop, 'new-checkout', 34 * DAY, { enabled: true, owner: 'shop', service: 'checkout', share: 50 }, true),
  flag(shop, 'gift-cards', STORY.recommendationRollout, { enabled: false, owner: 'shop', service: 'payment', share: 0 }, true),
  flag(
    shop,
    'co-purchase-model',
    STORY.recommendationRollout,
    { enabled: true, owner: 'data', service: 'recommendation', share: 100 },
    false,
  ),
];
