// An application of the shop as its chart renders it: plain manifests, before the API server fills in anything.
import { DAY, type WorkloadKind } from '../../shop.ts';
import type { JsonObject } from '../json.ts';
import type { KubernetesObject } from '../object.ts';

export interface Amounts {
  readonly cpu: string;
  readonly memory: string;
}

export interface AppPort {
  readonly name: string;
  readonly port: number;
  readonly protocol?: 'UDP';
}

export interface AppContainer {
  readonly name: string;
  readonly image: string;
  readonly ports?: readonly AppPort[];
  readonly requests?: Amounts;
  readonly limits?: Partial<Amounts>;
  readonly env?: Readonly<Record<string, string>>;
  /** Variables from keys of the application's Secret. */
  readonly secretEnv?: Readonly<Record<string, string>>;
  /** Path of the HTTP probes; none when absent. */
  readonly probePath?: string;
  /** TCP probes on the first port instead. */
  readonly hasTcpProbe?: boolean;
  readonly args?: readonly string[];
  readonly command?: readonly string[];
  /** Mounts by volume name. */
  readonly mounts?: Readonly<Record<string, string>>;
  readonly usesConfig?: boolean;
  readonly isSidecar?: boolean;
}

export interface App {
  readonly namespace: string;
  readonly name: string;
  readonly kind: WorkloadKind;
  readonly replicas: number;
  /** Age of its first installation. */
  readonly age: number;
  readonly containers: readonly AppContainer[];
  readonly initContainers?: readonly AppContainer[];
  readonly servicePorts?: readonly (AppPort & { readonly target?: string })[];
  readonly serviceName?: string;
  readonly serviceType?: 'LoadBalancer';
  readonly config?: Readonly<Record<string, string>>;
  readonly secret?: Readonly<Record<string, string>>;
  readonly claim?: { readonly name: string; readonly size: string; readonly path: string };
  readonly emptyDirs?: readonly string[];
  readonly hostPaths?: Readonly<Record<string, string>>;
  readonly minAvailable?: number;
  readonly hostNetwork?: boolean;
  readonly toleratesAll?: boolean;
  readonly priorityClass?: string;
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly podAnnotations?: Readonly<Record<string, string>>;
  /** Labels by which Services and controllers select; the Helm ones unless told otherwise. */
  readonly selector?: Readonly<Record<string, string>>;
  readonly release?: string;
  readonly hasAccount?: boolean;
}

export const REGISTRY = 'registry.example.com';
export const CLUSTER_AGE = 118 * DAY;

export const selectorOf = ({ name, release, selector }: App): Record<string, string> =>
  selector === undefined ? { 'app.kubernetes.io/name': name, 'app.kubernetes.io/instance': release ?? name } : { ...selector };

export const labelsOf = (app: App, version: string, chart: string): Record<string, string> => ({
  ...(chart === '' ? {} : { 'helm.sh/chart': chart }),
  ...selectorOf(app),
  ...(chart === '' ? {} : { 'app.kubernetes.io/version': version, 'app.kubernetes.io/managed-by': 'Helm' }),
});

const probe = (container: AppContainer): JsonObject | undefined => {
  const [port] = container.ports ?? [];
  if (port === undefined) return undefined;
  if (container.hasTcpProbe === true) return { tcpSocket: { port: port.name } };
  return container.probePath === undefined ? undefined : { httpGet: { path: container.probePath, port: port.name } };
};

const toContainer = (app: App, container: AppContainer): JsonObject => {
  const checks = probe(container);
  const plain = Object.entries(container.env ?? {}).map(([name, value]) => ({ name, value }));
  const secret = Object.entries(container.secretEnv ?? {}).map(([name, key]) => ({
    name,
    valueFrom: { secretKeyRef: { name: `${app.name}-secret`, key } },
  }));
  const mounts = Object.entries(container.mounts ?? {}).map(([name, mountPath]) => ({ name, mountPath }));
  return {
    name: container.name,
    image: container.image,
    ...(container.command === undefined ? {} : { command: [...container.command] }),
    ...(container.args === undefined ? {} : { args: [...container.args] }),
    ...(container.ports === undefined
      ? {}
      : {
          ports: container.ports.map(({ name, port, protocol }) => ({
            name,
            containerPort: port,
            ...(protocol === undefined ? {} : { protocol }),
          })),
        }),
    ...(container.usesConfig === true ? { envFrom: [{ configMapRef: { name: `${app.name}-config` } }] } : {}),
    ...(plain.length + secret.length === 0 ? {} : { env: [...plain, ...secret] }),
    ...toResources(container),
    ...(container.isSidecar === true ? { restartPolicy: 'Always' } : {}),
    ...(mounts.length === 0 ? {} : { volumeMounts: mounts }),
    ...(checks === undefined
      ? {}
      : { livenessProbe: { ...checks, initialDelaySeconds: 10 }, readinessProbe: { ...checks, periodSeconds: 5 } }),
  };
};

const toResources = ({ requests, limits }: AppContainer): JsonObject =>
  requests === undefined && limits === undefined
    ? {}
    : {
        resources: {
          ...(limits === undefined ? {} : { limits: { ...limits } }),
          ...(requests === undefined ? {} : { requests: { ...requests } }),
        },
      };

const toVolumes = (app: App): JsonObject[] => [
  ...(app.emptyDirs ?? []).map((name) => ({ name, emptyDir: {} })),
  ...Object.entries(app.hostPaths ?? {}).map(([name, path]) => ({ name, hostPath: { path } })),
  ...(mountsConfig(app) ? [{ name: 'config', configMap: { name: `${app.name}-config` } }] : []),
];

const mountsConfig = ({ containers, initContainers = [] }: App): boolean =>
  [...containers, ...initContainers].some(({ mounts = {} }) => 'config' in mounts);

/** The pod template of the chart. */
export const toTemplate = (app: App): { metadata: JsonObject; spec: JsonObject } => {
  const volumes = toVolumes(app);
  return {
    metadata: {
      labels: selectorOf(app),
      ...(app.podAnnotations === undefined ? {} : { annotations: { ...app.podAnnotations } }),
    },
    spec: {
      ...(volumes.length === 0 ? {} : { volumes }),
      ...(app.initContainers === undefined ? {} : { initContainers: app.initContainers.map((container) => toContainer(app, container)) }),
      containers: app.containers.map((container) => toContainer(app, container)),
      ...(app.nodeSelector === undefined ? {} : { nodeSelector: { ...app.nodeSelector } }),
      ...(app.hasAccount === false ? {} : { serviceAccountName: app.name }),
      ...(app.hostNetwork === true ? { hostNetwork: true } : {}),
      ...(app.toleratesAll === true ? { tolerations: [{ operator: 'Exists' }] } : {}),
      ...(app.priorityClass === undefined ? {} : { priorityClassName: app.priorityClass }),
    },
  };
};

const toWorkload = (app: App, labels: Record<string, string>): KubernetesObject[] => {
  const metadata = { name: app.name, namespace: app.namespace, labels };
  const selector = { matchLabels: selectorOf(app) };
  const template = toTemplate(app);
  if (app.kind === 'DaemonSet') return [{ kind: 'DaemonSet', apiVersion: 'apps/v1', metadata, spec: { selector, template } }];
  if (app.kind === 'Deployment')
    return [{ kind: 'Deployment', apiVersion: 'apps/v1', metadata, spec: { replicas: app.replicas, selector, template } }];
  const { claim } = app;
  const claims = claim === undefined ? {} : { volumeClaimTemplates: [toClaimTemplate(claim.name, claim.size)] };
  return [
    {
      kind: 'StatefulSet',
      apiVersion: 'apps/v1',
      metadata,
      spec: { replicas: app.replicas, selector, template, ...claims, serviceName: `${app.name}-headless` },
    },
  ];
};

const toClaimTemplate = (name: string, size: string): JsonObject => ({
  metadata: { name },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: size } } },
});

const toService = (app: App, labels: Record<string, string>, isHeadless: boolean): KubernetesObject => ({
  kind: 'Service',
  apiVersion: 'v1',
  metadata: { name: isHeadless ? `${app.name}-headless` : (app.serviceName ?? app.name), namespace: app.namespace, labels },
  spec: {
    ports: (app.servicePorts ?? []).map(({ name, port, target, protocol }) => ({
      name,
      ...(protocol === undefined ? {} : { protocol }),
      port,
      targetPort: target ?? name,
    })),
    selector: selectorOf(app),
    ...(isHeadless ? { clusterIP: 'None' } : {}),
    ...(app.serviceType === 'LoadBalancer' ? { type: 'LoadBalancer' } : {}),
  },
});

const encodeData = (data: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]));

/** All manifests of an application, in the order in which Helm installs them. */
export const renderApp = (app: App, version: string, chart: string): KubernetesObject[] => {
  const labels = labelsOf(app, version, chart);
  const metadata = (name: string): KubernetesObject['metadata'] => ({ name, namespace: app.namespace, labels });
  const objects: KubernetesObject[] = [];
  if (app.minAvailable !== undefined) {
    const spec = { minAvailable: app.minAvailable, selector: { matchLabels: selectorOf(app) } };
    objects.push({ kind: 'PodDisruptionBudget', apiVersion: 'policy/v1', metadata: metadata(app.name), spec });
  }
  if (app.hasAccount !== false) objects.push({ kind: 'ServiceAccount', apiVersion: 'v1', metadata: metadata(app.name) });
  if (app.secret !== undefined) {
    objects.push({
      kind: 'Secret',
      apiVersion: 'v1',
      metadata: metadata(`${app.name}-secret`),
      data: encodeData(app.secret),
      type: 'Opaque',
    });
  }
  if (app.config !== undefined)
    objects.push({ kind: 'ConfigMap', apiVersion: 'v1', metadata: metadata(`${app.name}-config`), data: { ...app.config } });
  if (app.servicePorts !== undefined) {
    objects.push(toService(app, labels, false));
    if (app.kind === 'StatefulSet') objects.push(toService(app, labels, true));
  }
  return [...objects, ...(app.kind === 'CronJob' ? [] : toWorkload(app, labels))];
};
