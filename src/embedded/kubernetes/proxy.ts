// The API server as a way to pods, Services and kubelets: `.../<name>:<port>/proxy/<path>`.
import type { ResourceContext, ResourceHandler } from './context.ts';
import { objectsAt, textAt } from './json.ts';
import { askKubelet } from './kubelet.ts';
import type { KubernetesObject } from './object.ts';
import { askProgram } from './programs.ts';
import { backendsOf, portsOf } from './shop/network.ts';
import { badRequest, notFound, StatusError } from './status.ts';

interface Target {
  readonly scheme: string;
  readonly name: string;
  readonly port: string;
}

/** `[https:]name[:port]`, as apimachinery splits it (pkg/util/net). */
const parseTarget = (text: string): Target | undefined => {
  const parts = text.split(':');
  if (parts.length === 1) return { scheme: '', name: text, port: '' };
  if (parts.length === 2) return { scheme: '', name: parts[0] ?? '', port: parts[1] ?? '' };
  const [scheme = '', name = '', port = ''] = parts;
  return parts.length === 3 && ['', 'http', 'https'].includes(scheme) && name !== '' ? { scheme, name, port } : undefined;
};

const targetOf = ({ info }: ResourceContext, kind: string): Target => {
  const target = parseTarget(info.name);
  if (target === undefined) throw badRequest(`invalid ${kind} request "${info.name}"`);
  return target;
};

const unreachable = (why: string): StatusError => new StatusError(503, 'ServiceUnavailable', `error trying to reach service: ${why}`);

const pathOf = ({ info }: ResourceContext): string => `/${info.rest}`;

const askPod = (context: ResourceContext, pod: KubernetesObject, port: number): Response => {
  const { server, info, request } = context;
  const search = info.query.size === 0 ? '' : `?${info.query.toString()}`;
  const answer = askProgram(server, { pod, port, path: `${pathOf(context)}${search}`, method: request.method }, server.clock());
  if (answer === undefined) throw unreachable(`dial tcp ${textAt(pod, 'status', 'podIP')}:${port}: connect: connection refused`);
  return answer;
};

const firstPort = (pod: KubernetesObject): number => {
  const [port] = objectsAt(pod, 'spec', 'containers').flatMap((container) => objectsAt(container, 'ports'));
  return typeof port?.['containerPort'] === 'number' ? port['containerPort'] : 80;
};

const proxyPod: ResourceHandler = async (context) => {
  const { server, resource, info } = context;
  const { name, port } = targetOf(context, 'pod');
  const pod = server.store.get('pods', info.namespace, name);
  if (pod === undefined) throw notFound(resource, name);
  if (textAt(pod, 'status', 'podIP') === '') throw badRequest('address not allowed');
  return askPod(context, pod, port === '' ? firstPort(pod) : Number(port));
};

const unavailable = (message: string): StatusError => new StatusError(503, 'ServiceUnavailable', message);

/** The name of a Service's port: a number stands for the port that has it, and of several ports one must be named. */
const portName = (service: KubernetesObject, wanted: string): string => {
  if (!/^[-+]?\d+$/.test(wanted)) return wanted;
  const found = objectsAt(service, 'spec', 'ports').find((port) => port['port'] === Number(wanted));
  if (found === undefined) throw unavailable(`no service port ${Number(wanted)} found for service "${service.metadata.name}"`);
  return textAt(found, 'name');
};

const proxyService: ResourceHandler = async (context) => {
  const { server, resource, info } = context;
  const { name, port } = targetOf(context, 'service');
  const service = server.store.get('services', info.namespace, name);
  const none = `no endpoints available for service "${name}"`;
  // Without a number the server looks at the endpoints alone, so it does not tell that there is no such Service.
  if (service === undefined) throw /^[-+]?\d+$/.test(port) ? notFound(resource, name) : unavailable(none);
  const wanted = portName(service, port);
  const backends = backendsOf(service, server.store.all('pods', info.namespace)).filter(({ isReady }) => isReady);
  const chosen = backends[Math.floor(server.clock() / 1000) % backends.length]?.pod;
  const index = objectsAt(service, 'spec', 'ports').findIndex((candidate) => textAt(candidate, 'name') === wanted);
  const number = chosen === undefined ? undefined : portsOf(service, chosen)[index]?.['port'];
  if (chosen === undefined || typeof number !== 'number') throw unavailable(none);
  return askPod(context, chosen, number);
};

const proxyNode: ResourceHandler = async (context) => {
  const { server, resource } = context;
  const { name } = targetOf(context, 'node');
  const node = server.store.get('nodes', '', name);
  if (node === undefined) throw notFound(resource, name);
  return askKubelet(context, node, pathOf(context));
};

/** Handlers by resource; every verb of the proxy passes through them. */
export const PROXIES: Readonly<Record<string, ResourceHandler>> = { pods: proxyPod, services: proxyService, nodes: proxyNode };
