// The nightly report: its CronJob and the three jobs that are kept.
import { DAY, HOUR, NODES, SECOND, type Shop, type ShopPod, suffixOf, uuidOf } from '../../shop.ts';
import { type JsonObject, toTime } from '../json.ts';
import { toManagedFields } from '../managed-fields.ts';
import type { KubernetesObject } from '../object.ts';
import { toSucceededStatus } from '../pod-status.ts';
import { REGISTRY } from './app.ts';
import { ownedBy, stamped, uidOf, withManager } from './stamp.ts';
import { toPod } from './workloads.ts';

const CONTROLLER = 'kube-controller-manager';
const NAME = 'nightly-report';
const HOUR_OF_DAY = 2;

/** The pod template of the report; made anew for each use, since objects are never shared. */
const reportTemplate = (labels: Record<string, string>): { metadata: JsonObject; spec: JsonObject } => ({
  metadata: { labels },
  spec: {
    containers: [
      {
        name: 'report',
        image: `${REGISTRY}/shop/report:1.4.2`,
        args: ['--period=day', '--out=s3://reports/daily'],
        env: [
          { name: 'DB_HOST', value: 'postgres.data' },
          { name: 'DB_PASSWORD', valueFrom: { secretKeyRef: { name: NAME, key: 'db-password' } } },
        ],
        resources: { limits: { memory: '256Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
      },
    ],
    restartPolicy: 'OnFailure',
  },
});

const lastRun = (shop: Shop): number => {
  const midnight = Math.floor(shop.startedAt / DAY) * DAY;
  const today = midnight + HOUR_OF_DAY * HOUR;
  return today + 5 * 60 * SECOND < shop.startedAt ? today : today - DAY;
};

const jobOf = (shop: Shop, cronJob: KubernetesObject, scheduledAt: number, index: number): KubernetesObject[] => {
  const name = `${NAME}-${Math.floor(scheduledAt / 60_000)}`;
  const uid = uidOf(shop, 'Job', 'shop', name);
  const endedAt = scheduledAt + (141 + index * 17) * SECOND;
  const labels = {
    'app.kubernetes.io/name': NAME,
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
    'controller-uid': uid,
    'job-name': name,
  };
  const template = reportTemplate(labels);
  const ended = (type: string): JsonObject => ({
    type,
    status: 'True',
    lastProbeTime: toTime(endedAt),
    lastTransitionTime: toTime(endedAt),
    reason: 'CompletionsReached',
    message: 'Reached expected number of succeeded pods',
  });
  const status: JsonObject = {
    conditions: [ended('SuccessCriteriaMet'), ended('Complete')],
    startTime: toTime(scheduledAt),
    completionTime: toTime(endedAt),
    succeeded: 1,
    terminating: 0,
    uncountedTerminatedPods: {},
    ready: 0,
  };
  const job = stamped(
    shop,
    {
      kind: 'Job',
      apiVersion: 'batch/v1',
      metadata: { name, namespace: 'shop', labels: { 'app.kubernetes.io/name': NAME } },
      spec: { selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } }, template },
    },
    {
      createdAt: scheduledAt,
      generation: 1,
      manager: CONTROLLER,
      owner: cronJob,
      uid,
      status,
      statusManager: CONTROLLER,
      statusAt: endedAt,
      annotations: { 'batch.kubernetes.io/cronjob-scheduled-timestamp': toTime(scheduledAt) },
    },
  );
  return [job, podOf(shop, job, template, scheduledAt, endedAt)];
};

const podOf = (
  shop: Shop,
  job: KubernetesObject,
  template: { metadata: JsonObject; spec: JsonObject },
  startedAt: number,
  endedAt: number,
): KubernetesObject => {
  const node = NODES[1];
  const name = `${job.metadata.name}-${suffixOf(`${shop.seed}/${job.metadata.name}`)}`;
  const pod: ShopPod = {
    namespace: 'shop',
    workload: NAME,
    name,
    uid: uuidOf(`${shop.seed}/${name}`),
    node: node?.name ?? '',
    address: `${node?.podNetwork}.${215 + (Math.floor(startedAt / DAY) % 30)}`,
    containers: ['report'],
  };
  const object = toPod(shop, job, template, { pod, createdAt: startedAt }, {});
  const place = { node: pod.node, nodeAddress: node?.address ?? '', address: pod.address };
  const status = toSucceededStatus(object, place, startedAt, endedAt);
  const fields = toManagedFields(
    { status },
    { manager: 'kubelet', operation: 'Update', apiVersion: 'v1', kind: 'Pod', time: toTime(endedAt), subresource: 'status' },
  );
  return withManager({ ...object, status, metadata: { ...object.metadata, ownerReferences: [ownedBy(job)] } }, fields);
};

export const jobObjects = (shop: Shop): KubernetesObject[] => {
  const createdAt = shop.before(71 * DAY);
  const last = lastRun(shop);
  const secret: KubernetesObject = {
    kind: 'Secret',
    apiVersion: 'v1',
    metadata: { name: NAME, namespace: 'shop' },
    data: { 'db-password': Buffer.from('canary-report-db-58b0aa').toString('base64') },
  };
  const plain: KubernetesObject = {
    kind: 'CronJob',
    apiVersion: 'batch/v1',
    metadata: { name: NAME, namespace: 'shop', labels: { 'app.kubernetes.io/name': NAME } },
    spec: {
      schedule: `0 ${HOUR_OF_DAY} * * *`,
      timeZone: 'Etc/UTC',
      concurrencyPolicy: 'Forbid',
      jobTemplate: { spec: { template: reportTemplate({ 'app.kubernetes.io/name': NAME }) } },
    },
  };
  const endedAt = last + 141 * SECOND;
  const cronJob = stamped(shop, plain, {
    createdAt,
    generation: 1,
    manager: 'kubectl-client-side-apply',
    status: { lastScheduleTime: toTime(last), lastSuccessfulTime: toTime(endedAt) },
    statusManager: CONTROLLER,
    statusAt: endedAt,
  });
  const jobs = [0, 1, 2].flatMap((index) => jobOf(shop, cronJob, last - index * DAY, index));
  return [stamped(shop, secret, { createdAt, manager: 'kubectl-create' }), cronJob, ...jobs];
};
