// What lies below an object: logs, status, scale and the rest, by resource and name.
import type { ResourceContext, ResourceHandler } from './context.ts';
import { demandCreate, execInPod } from './exec/index.ts';
import { chooseContainer, getLog } from './logs.ts';
import { PROXIES } from './proxy.ts';
import { findObject, getObject } from './read.ts';
import { badRequest, methodNotAllowed, notFound, notServed, StatusError } from './status.ts';
import { evictPod } from './write/eviction.ts';
import { getScale, updateScale } from './write/scale.ts';
import { patchObject, updateObject } from './write/update.ts';

/** Attaching and forwarding ports begin like exec, but are not offered. */
const upgrade: ResourceHandler = async (context) => {
  const { request, info } = context;
  demandCreate(context);
  chooseContainer(findObject(context), info.query.get('container') ?? '');
  if (request.headers.get('upgrade') === null) throw badRequest('Upgrade request required');
  throw notOffered(`${info.resource}/${info.subresource}`);
};

/** An honest refusal of what a real server has and this one has not. */
export const notOffered = (what: string): StatusError =>
  new StatusError(501, 'NotImplemented', `the embedded Kubernetes does not offer ${what}`, { details: {} });

const HANDLERS: Readonly<Record<string, ResourceHandler>> = {
  'get pods/log': getLog,
  'create pods/eviction': evictPod,
  'get pods/exec': execInPod,
  'get pods/attach': upgrade,
  'get pods/portforward': upgrade,
  'create pods/exec': execInPod,
  'create pods/attach': upgrade,
  'create pods/portforward': upgrade,
};

const anyResource: Readonly<Record<string, ResourceHandler>> = {
  'get status': getObject,
  'get ephemeralcontainers': getObject,
  'get resize': getObject,
  'update status': updateObject,
  'patch status': patchObject,
  'get scale': getScale,
  'update scale': updateScale,
  'patch scale': updateScale,
};

/** Answers a request for a subresource; 404 when the resource has none of that name, 405 for a verb it does not take. */
export const serveSubresource = (context: ResourceContext): Promise<Response> => {
  const { info, resource } = context;
  const subresource = resource.subresources.find(({ name }) => name === info.subresource);
  if (subresource === undefined) throw resource.custom === undefined ? notServed() : notFound(resource, info.name);
  if (!subresource.verbs.includes(info.verb)) throw methodNotAllowed();
  const proxy = info.subresource === 'proxy' ? PROXIES[resource.resource] : undefined;
  const handler =
    proxy ?? HANDLERS[`${info.verb} ${resource.resource}/${info.subresource}`] ?? anyResource[`${info.verb} ${info.subresource}`];
  if (handler === undefined) throw notOffered(`${info.verb} of ${resource.resource}/${info.subresource}`);
  return handler(context);
};
