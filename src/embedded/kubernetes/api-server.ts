// One request through the server: who, what, may they, answer.
import { randomUUID } from 'node:crypto';
import { impersonate } from './authentication.ts';
import { type Attributes, forbidden, type User } from './authorization.ts';
import type { RequestContext, ResourceContext, ResourceHandler, ServerParts } from './context.ts';
import { METRICS_HANDLERS } from './metrics.ts';
import { negotiate, type Representation } from './negotiation.ts';
import { isServedVersion, isUnderBuiltInGroup, serveNonResource } from './non-resource.ts';
import { getObject, listObjects } from './read.ts';
import { type RequestInfo, selectedName, toRequestInfo } from './request-info.ts';
import { pageNotFound, respondFailure } from './respond.ts';
import { methodNotAllowed, notServed } from './status.ts';
import { serveSubresource } from './subresources.ts';
import { watchObjects } from './watch.ts';
import { createObject } from './write/create.ts';
import { deleteCollection, deleteObject } from './write/delete.ts';
import { patchObject, updateObject } from './write/update.ts';

/** Handlers of whole resources by verb. */
const VERB_HANDLERS: Readonly<Record<string, ResourceHandler>> = {
  get: getObject,
  list: listObjects,
  watch: watchObjects,
  create: createObject,
  update: updateObject,
  patch: patchObject,
  delete: deleteObject,
  deletecollection: deleteCollection,
};

/** What the server warns of whenever it is used. */
const DEPRECATIONS: Readonly<Record<string, string>> = {
  '/v1/endpoints': 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  '/v1/componentstatuses': 'v1 ComponentStatus is deprecated in v1.19+',
};

/** These need the name of an object in the path. */
const NAMED_VERBS = new Set(['get', 'update', 'patch', 'delete']);

const toAttributes = (user: User, info: RequestInfo): Attributes => {
  const isCollection = info.isResource && info.name === '';
  return {
    user,
    verb: info.verb,
    isResource: info.isResource,
    group: info.group,
    resource: info.resource,
    subresource: info.subresource,
    namespace: info.namespace,
    name: isCollection && info.verb !== 'create' ? selectedName(info.query) : info.name,
    path: info.path,
  };
};

const serveResource = (context: RequestContext): Promise<Response> => {
  const { info, server } = context;
  const resource = server.registry.find(info.group, info.version, info.resource);
  if (resource === undefined) {
    if (!isServedVersion(context) && !isUnderBuiltInGroup(context)) return Promise.resolve(pageNotFound());
    throw notServed();
  }
  if (!resource.namespaced && info.namespace !== '' && resource.resource !== 'namespaces') throw notServed();
  return dispatch({ ...context, resource });
};

const dispatch = (context: ResourceContext): Promise<Response> => {
  const { info, resource } = context;
  if (info.subresource !== '') return serveSubresource(context);
  const takesName = resource.verbs.some((verb) => NAMED_VERBS.has(verb));
  if (info.name !== '' && !takesName) throw notServed();
  if (!resource.verbs.includes(info.verb) || (info.name === '' && NAMED_VERBS.has(info.verb))) throw methodNotAllowed();
  const handler = resource.group === 'metrics.k8s.io' ? METRICS_HANDLERS[info.verb] : VERB_HANDLERS[info.verb];
  if (handler === undefined) throw methodNotAllowed();
  return handler(context);
};

/** Answers a request; every failure becomes a Status, so this never rejects. */
export const serve = async (server: ServerParts, request: Request, onUser: (user: User, info: RequestInfo) => void): Promise<Response> => {
  let representation: Representation | undefined;
  const warnings: string[] = [];
  const answer = async (): Promise<Response> => {
    const url = new URL(request.url);
    const info = toRequestInfo(request, url);
    const known = server.authenticator.authenticate(request);
    const user = impersonate(request, known, server.authorizer, toAttributes(known, info));
    onUser(user, info);
    const attributes = toAttributes(user, info);
    const { isAllowed, reason } = server.authorizer.decide(attributes);
    if (!isAllowed) throw forbidden(attributes, reason);
    representation = negotiate(request, url.searchParams);
    const context = { server, request, info, user, representation, warnings };
    const deprecation = DEPRECATIONS[`${info.group}/${info.version}/${info.resource}`];
    if (info.isResource && deprecation !== undefined) warnings.push(deprecation);
    return info.isResource ? await serveResource(context) : await serveNonResource(context);
  };
  const response = await answer().catch((error: unknown) => respondFailure(request, error, representation));
  response.headers.set('audit-id', randomUUID());
  for (const text of warnings) response.headers.append('warning', `299 - ${JSON.stringify(text)}`);
  return response;
};
