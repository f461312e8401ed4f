// The Helm releases as Helm 3 stores them: one Secret per revision, `data.release` = base64(gzip(JSON)) inside the Secret's own base64.
import { gzipSync } from 'node:zlib';
import { PAYMENT, RELEASES, type Shop, type ShopRelease, USERS } from '../../shop.ts';
import { toBlockYaml } from '../block-yaml.ts';
import { isObject, type Json, type JsonObject, objectAt, objectsAt, textAt, toTime } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { type App, renderApp } from './app.ts';
import { PLATFORM_APPS } from './apps-platform.ts';
import { paymentApp, recommendationApp, SHOP_APPS } from './apps-shop.ts';
import { type Revision, releaseOf, revisionsOf } from './history.ts';
import { stamped } from './stamp.ts';

/** Helm keeps ten revisions of a release, unless told otherwise. */
const HISTORY_LIMIT = 10;

const FILES: Readonly<Record<string, string>> = {
  PodDisruptionBudget: 'pdb',
  ServiceAccount: 'serviceaccount',
  HorizontalPodAutoscaler: 'hpa',
};

const fileOf = ({ kind }: KubernetesObject): string => `templates/${FILES[kind] ?? kind.toLowerCase()}.yaml`;

const appsOf = ({ namespace, name }: ShopRelease): readonly App[] =>
  [...SHOP_APPS, ...PLATFORM_APPS].filter((app) => {
    const release = releaseOf(app);
    return release?.namespace === namespace && release.name === name;
  });

const withTag = (app: App, tag: string): App => ({
  ...app,
  containers: app.containers.map((container, index) =>
    index === 0 ? { ...container, image: container.image.replace(/:[^/:]+$/, `:${tag}`) } : container,
  ),
});

/** The application as a revision of its release had it. */
const appAt = (app: App, release: ShopRelease, { number, appVersion }: Revision): App => {
  if (app.name === 'payment' && number <= PAYMENT.good.revision) return withTag(paymentApp(PAYMENT.good), appVersion);
  if (app.name === 'recommendation' && number < release.revision) return withTag(recommendationApp(false), appVersion);
  return app.name === release.name ? withTag(app, appVersion) : app;
};

const autoscalerManifest = (app: App): KubernetesObject[] =>
  app.name !== 'web'
    ? []
    : [
        {
          kind: 'HorizontalPodAutoscaler',
          apiVersion: 'autoscaling/v2',
          metadata: {
            name: 'web',
            namespace: 'shop',
            labels: { 'app.kubernetes.io/name': 'web', 'app.kubernetes.io/instance': 'web', 'app.kubernetes.io/managed-by': 'Helm' },
          },
          spec: {
            scaleTargetRef: { kind: 'Deployment', name: 'web', apiVersion: 'apps/v1' },
            minReplicas: 3,
            maxReplicas: 6,
            metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } }],
          },
        },
      ];

const manifestsOf = (release: ShopRelease, revision: Revision): KubernetesObject[] =>
  appsOf(release).flatMap((app) => {
    const then = appAt(app, release, revision);
    return [...renderApp(then, revision.appVersion, `${release.name}-${revision.chartVersion}`), ...autoscalerManifest(app)];
  });

const toManifest = (release: ShopRelease, objects: readonly KubernetesObject[]): string =>
  objects.map((object) => `---\n# Source: ${release.name}/${fileOf(object)}\n${toBlockYaml(manifestOrder(object))}`).join('');

/** Charts write the API version first. */
const manifestOrder = ({ apiVersion, kind, metadata, ...rest }: KubernetesObject): Json => ({ apiVersion, kind, metadata, ...rest });

/** The templates of the chart: the manifests with their variable parts given back to the values. */
const toTemplates = (objects: readonly KubernetesObject[], { appVersion, chartVersion }: Revision): JsonObject[] => {
  const files = new Map<string, string>();
  for (const object of objects) {
    const text = toBlockYaml(manifestOrder(object))
      .replaceAll(
        new RegExp(`(image: [^\\s:]+):${appVersion.replaceAll('.', '\\.')}$`, 'gm'),
        '$1:{{ .Values.image.tag | default .Chart.AppVersion }}',
      )
      .replaceAll(`-${chartVersion}`, '-{{ .Chart.Version }}')
      .replace(/^(\s+replicas:) \d+$/m, '$1 {{ .Values.replicaCount }}')
      .replace(/^(\s+DB_POOL_SIZE:) .*$/m, '$1 {{ .Values.config.dbPoolSize | quote }}');
    files.set(fileOf(object), `${files.get(fileOf(object)) ?? ''}---\n${text}`);
  }
  return [...files].map(([name, text]) => ({ name, data: Buffer.from(text).toString('base64') }));
};

const imageParts = (image: string): { repository: string; tag: string } => {
  const found = /^(.*):([^/:]+)$/.exec(image);
  return { repository: found?.[1] ?? image, tag: found?.[2] ?? '' };
};

const resourcesOf = (app: App): JsonObject => {
  const [own] = app.containers;
  return {
    ...(own?.limits === undefined ? {} : { limits: { ...own.limits } }),
    ...(own?.requests === undefined ? {} : { requests: { ...own.requests } }),
  };
};

/** Defaults of the chart, and what the user set for this revision. */
const valuesOf = (app: App, revision: Revision): { defaults: JsonObject; user: JsonObject } => {
  const [own] = app.containers;
  const image = imageParts(own?.image ?? '');
  const defaults: JsonObject = {
    replicaCount: app.replicas,
    image: { repository: image.repository, tag: '', pullPolicy: 'IfNotPresent' },
    service: { type: app.serviceType ?? 'ClusterIP', port: app.servicePorts?.[0]?.port ?? 80 },
    resources: resourcesOf(app),
    nodeSelector: {},
    serviceAccount: { create: true, name: app.name },
    ...(app.config === undefined ? {} : { config: { logLevel: 'info' } }),
  };
  const user: JsonObject = {
    image: { tag: revision.appVersion },
    ...(app.nodeSelector === undefined ? {} : { nodeSelector: { ...app.nodeSelector } }),
    ...(app.secret === undefined ? {} : { secrets: { ...app.secret } }),
    ...(app.name === 'payment' ? { config: { dbPoolSize: app.config?.['DB_POOL_SIZE'] ?? '' }, resources: resourcesOf(app) } : {}),
    ...(app.name === 'web' ? { autoscaling: { enabled: true, minReplicas: 3, maxReplicas: 6 } } : {}),
  };
  return { defaults, user };
};

const NOTES = (release: ShopRelease): string =>
  `${release.name} was deployed into ${release.namespace}.\nWatch it: kubectl -n ${release.namespace} get pods -l app.kubernetes.io/instance=${release.name}\n`;

const recordOf = (release: ShopRelease, revision: Revision, first: Revision, status: string): JsonObject => {
  const [main] = appsOf(release);
  if (main === undefined) throw new Error(`release ${release.name} has no application`);
  const objects = manifestsOf(release, revision);
  const { defaults, user } = valuesOf(appAt(main, release, revision), revision);
  return {
    name: release.name,
    info: {
      first_deployed: toTime(first.at),
      last_deployed: toTime(revision.at),
      deleted: '',
      description: revision.number === 1 ? 'Install complete' : 'Upgrade complete',
      status,
      notes: NOTES(release),
    },
    chart: {
      metadata: {
        name: release.name,
        version: revision.chartVersion,
        description: `Chart of ${release.name} in the demo shop`,
        apiVersion: 'v2',
        appVersion: revision.appVersion,
        type: 'application',
      },
      lock: null,
      templates: toTemplates(objects, revision),
      values: defaults,
      schema: null,
      files: null,
    },
    config: user,
    manifest: toManifest(release, objects),
    version: revision.number,
    namespace: release.namespace,
    labels: { 'deployed-by': USERS.deployer },
  };
};

/** Helm's encoding of a record, before the Secret's own base64. */
export const encodeRelease = (record: JsonObject): string => gzipSync(JSON.stringify(record), { level: 1 }).toString('base64');

const secretOf = (shop: Shop, release: ShopRelease, revision: Revision, first: Revision): KubernetesObject => {
  const isLast = revision.number === release.revision;
  const status = isLast ? 'deployed' : 'superseded';
  const data = { release: Buffer.from(encodeRelease(recordOf(release, revision, first, status))).toString('base64') };
  return stamped(
    shop,
    {
      kind: 'Secret',
      apiVersion: 'v1',
      metadata: {
        name: `sh.helm.release.v1.${release.name}.v${revision.number}`,
        namespace: release.namespace,
        labels: {
          'deployed-by': USERS.deployer,
          modifiedAt: String(Math.floor(revision.at / 1000) + 2),
          name: release.name,
          owner: 'helm',
          status,
          version: String(revision.number),
        },
      },
      data,
      type: 'helm.sh/release.v1',
    },
    { createdAt: revision.at, manager: 'helm' },
  );
};

/** The Secrets of all releases; platform releases keep three revisions, those of the shop ten. */
export const helmObjects = (shop: Shop): KubernetesObject[] =>
  RELEASES.flatMap((release) => {
    const [main] = appsOf(release);
    const revisions = revisionsOf(shop, release, main?.age ?? 0);
    const first = revisions[0];
    const kept = release.namespace === 'shop' ? HISTORY_LIMIT : 3;
    return first === undefined ? [] : revisions.slice(-kept).map((revision) => secretOf(shop, release, revision, first));
  });

/** True when a manifest's values tell of a payment that works: enough connections and memory. */
export const isHealthyPayment = (deployment: KubernetesObject | undefined, config: KubernetesObject | undefined): boolean => {
  const containers = objectsAt(deployment, 'spec', 'template', 'spec', 'containers');
  const payment = containers.find((container) => container['name'] === 'payment');
  const limit = textAt(payment, 'resources', 'limits', 'memory');
  return (
    isObject(payment) && limit === PAYMENT.good.memoryLimit && Number(objectAt(config, 'data')['DB_POOL_SIZE']) >= PAYMENT.good.poolSize
  );
};
