// What the API server adds to new objects of its own accord: the plugins that are on by default, and the strategies' own additions.
import type { ResourceContext } from '../context.ts';
import { isObject, type JsonObject, objectAt, textAt } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { admitPod, withTopology } from '../pod-admission.ts';

type Admission = (context: ResourceContext, object: KubernetesObject) => KubernetesObject;

const withFinalizer =
  (finalizer: string): Admission =>
  (_context, object) => ({
    ...object,
    metadata: { ...object.metadata, finalizers: [...new Set([...(object.metadata.finalizers ?? []), finalizer])] },
  });

/** The name of the object of a kind that carries an annotation as its mark. */
const defaultOf = ({ server }: ResourceContext, storage: string, annotation: string): string | undefined =>
  server.store.all(storage).find(({ metadata }) => metadata.annotations?.[annotation] === 'true')?.metadata.name;

/** Claims without a class get the default one (DefaultStorageClass). */
const admitClaim: Admission = (context, claim) => {
  const spec = objectAt(claim, 'spec');
  const storageClass = defaultOf(context, 'storageclasses.storage.k8s.io', 'storageclass.kubernetes.io/is-default-class');
  const isChosen = spec['storageClassName'] !== undefined || storageClass === undefined;
  const classed = isChosen ? claim : { ...claim, spec: { ...spec, storageClassName: storageClass } };
  return withFinalizer('kubernetes.io/pvc-protection')(context, classed);
};

/** The same for ingresses (DefaultIngressClass). */
const admitIngress: Admission = (context, ingress) => {
  const spec = objectAt(ingress, 'spec');
  const ingressClass = defaultOf(context, 'ingressclasses.networking.k8s.io', 'ingressclass.kubernetes.io/is-default-class');
  if (spec['ingressClassName'] !== undefined || ingressClass === undefined) return ingress;
  return { ...ingress, spec: { ...spec, ingressClassName: ingressClass } };
};

/** A job selects its pods by its own uid, unless it says that it has a selector of its own. */
const admitJob: Admission = (_context, job) => {
  const spec = objectAt(job, 'spec');
  if (spec['manualSelector'] === true) return job;
  const { uid = '', name, labels } = job.metadata;
  const own = { 'batch.kubernetes.io/controller-uid': uid, 'batch.kubernetes.io/job-name': name, 'controller-uid': uid, 'job-name': name };
  const template = objectAt(spec, 'template');
  const metadata = objectAt(template, 'metadata');
  const marked: JsonObject = { ...template, metadata: { ...metadata, labels: { ...objectAt(metadata, 'labels'), ...own } } };
  const shown = labels ?? (Object.keys(objectAt(metadata, 'labels')).length === 0 ? own : undefined);
  return {
    ...job,
    metadata: { ...job.metadata, ...(shown === undefined ? {} : { labels: shown }) },
    spec: {
      ...spec,
      selector: isObject(spec['selector']) ? spec['selector'] : { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } },
      template: marked,
    },
  };
};

/** An address that a client chose for a Service also heads its list. */
const admitService: Admission = (_context, service) => {
  const spec = objectAt(service, 'spec');
  const address = textAt(spec, 'clusterIP');
  return address === '' || spec['clusterIPs'] !== undefined ? service : { ...service, spec: { ...spec, clusterIPs: [address] } };
};

/** Fields of an event that Go always writes. */
const admitEvent: Admission = (_context, event) => {
  const { kind, apiVersion, metadata } = event;
  const always = { source: {}, firstTimestamp: null, lastTimestamp: null, eventTime: null, reportingComponent: '', reportingInstance: '' };
  return { ...always, ...event, kind, apiVersion, metadata };
};

const admitNewPod: Admission = ({ server }, pod) => {
  const namespace = pod.metadata.namespace ?? '';
  const node = server.store.get('nodes', '', textAt(pod, 'spec', 'nodeName'));
  return withTopology(admitPod(pod, server.store.all('limitranges', namespace)), node);
};

const ADMISSIONS: Readonly<Record<string, Admission>> = {
  pods: admitNewPod,
  services: admitService,
  events: admitEvent,
  persistentvolumes: withFinalizer('kubernetes.io/pv-protection'),
  persistentvolumeclaims: admitClaim,
  'ingresses.networking.k8s.io': admitIngress,
  'jobs.batch': admitJob,
};

/** The object as admission lets it in. */
export const admit = (context: ResourceContext, object: KubernetesObject): KubernetesObject =>
  ADMISSIONS[context.resource.storage]?.(context, object) ?? object;
