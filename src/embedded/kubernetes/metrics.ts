// metrics.k8s.io as metrics-server answers it: the usage of nodes and pods over the last quarter of a minute.

import type { Usage } from '../shop.ts';
import type { ResourceContext, ResourceHandler } from './context.ts';
import { encodeList, encodeObject } from './encode.ts';
import { type JsonObject, toTime } from './json.ts';
import { toSelection } from './list.ts';
import type { KubernetesObject } from './object.ts';
import { toEncodeContext } from './read.ts';
import { respondText } from './respond.ts';
import { notFound } from './status.ts';
import { nodeUse, podUse } from './usage.ts';

/** How often metrics-server looks. */
const RESOLUTION = 15_000;

const toUsage = ({ cpu, memory }: Usage): JsonObject => ({ cpu: `${Math.round(cpu * 1e9)}n`, memory: `${Math.round(memory / 1024)}Ki` });

const sampledAt = ({ server }: ResourceContext): number => Math.floor(server.clock() / RESOLUTION) * RESOLUTION;

const windowOf = (name: string, at: number): string => `${(14.5 + ((name.length * 37 + at / 1000) % 1000) / 1000).toFixed(3)}s`;

const toMetrics = (context: ResourceContext, source: KubernetesObject, content: JsonObject): KubernetesObject => {
  const at = sampledAt(context);
  const { name, namespace, labels } = source.metadata;
  return {
    kind: context.resource.kind,
    apiVersion: 'metrics.k8s.io/v1beta1',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      creationTimestamp: toTime(context.server.clock()),
      ...(labels === undefined ? {} : { labels }),
    },
    timestamp: toTime(at),
    window: windowOf(name, at),
    ...content,
  };
};

/** A pod has metrics as soon as its containers were seen twice. */
const ofPod = (context: ResourceContext, pod: KubernetesObject): KubernetesObject | undefined => {
  const at = sampledAt(context);
  const uses = podUse(context.server.shop, context.server.store, pod, at).filter(({ startedAt }) => startedAt + RESOLUTION <= at);
  if (uses.length === 0) return undefined;
  return toMetrics(context, pod, { containers: uses.map((use) => ({ name: use.name, usage: toUsage(use) })) });
};

const ofNode = (context: ResourceContext, node: KubernetesObject): KubernetesObject => {
  const { shop, store } = context.server;
  return toMetrics(context, node, { usage: toUsage(nodeUse(shop, store, node.metadata.name, sampledAt(context))) });
};

const allOf = (context: ResourceContext): KubernetesObject[] => {
  const { server, resource, info } = context;
  if (resource.resource === 'nodes') return server.store.all('nodes').map((node) => ofNode(context, node));
  return server.store.all('pods', info.namespace).flatMap((pod) => ofPod(context, pod) ?? []);
};

const getMetrics: ResourceHandler = async (context) => {
  const { server, request, representation, resource, info } = context;
  const source = server.store.get(resource.resource, resource.namespaced ? info.namespace : '', info.name);
  const found = source === undefined ? undefined : resource.namespaced ? ofPod(context, source) : ofNode(context, source);
  const qualified = resource.namespaced ? `${info.namespace}/${info.name}` : info.name;
  if (found === undefined) throw notFound({ group: resource.group, resource: resource.kind.toLowerCase() }, qualified);
  return respondText(request, encodeObject(found, toEncodeContext(context)), { representation });
};

const listMetrics: ResourceHandler = async (context) => {
  const { request, representation, resource, info } = context;
  const { matches } = toSelection(info.query, resource);
  return respondText(request, encodeList(allOf(context).filter(matches), {}, toEncodeContext(context)), { representation });
};

export const METRICS_HANDLERS: Readonly<Record<string, ResourceHandler>> = { get: getMetrics, list: listMetrics };
