// One request through the server: who, what, may they, answer.
import { randomUUID } from 'node:crypto';
import { impersonate } from './authentication.ts';
import { type Attributes, forbidden, type User } from './authorization.ts';
import type { RequestContext, ResourceContext, ResourceHandler, ServerParts } from './context.ts';
import { negotiate, type Representation } from './negotiation.ts';
import { isServedVersion, serveNonResource } from './non-resource.ts';
import { getObject, listObjects } from './read.ts';
import { type RequestInfo, selectedName, toRequestInfo } from './request-info.ts';
import { pageNotFound, respondFailure } from './respond.ts';
import { methodNotAllowed, notServed } from './status.ts';
import { serveSubresource } from './subresources.ts';
import { watchObjects } from './watch.ts';

/** Handlers of whole resources by verb. */
const VERB_HANDLERS: Readonly<Record<string, ResourceHandler>> = {
  get: getObject,
  list: listObjects,
  watch: watchObjects,
};

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
    if (!isServedVersion(context)) return Promise.resolve(pageNotFound());
    throw notServed();
  }
  if (!resource.namespaced && info.namespace !== '' && resource.resource !== 'namespaces') throw notServed();
  return dispatch({ ...context, resource });
};

const dispatch = (context: ResourceContext): Promise<Response> => {
  const { info, resource } = context;
  if (info.subresource !== '') return serveSubresource(context);
  if (!resource.verbs.includes(info.verb)) throw methodNotAllowed();
  const handler = VERB_HANDLERS[info.verb];
  if (handler === undefined) throw methodNotAllowed();
  return handler(context);
};

/** Answers a request; every failure becomes a Status, so this never rejects. */
export const serve = async (server: ServerParts, request: Request, onUser: (user: User, info: RequestInfo) => void): Promise<Response> => {
  let representation: Representation | undefined;
  const answer = async (): Promise<Response> => {
    const url = new URL(request.url);
    const info = toRequestInfo(request, url);
    const known = server.authenticator.authenticate(request);
    const user = impersonate(request, known, server.authorizer);
    onUser(user, info);
    const attributes = toAttributes(user, info);
    const { isAllowed, reason } = server.authorizer.decide(attributes);
    if (!isAllowed) throw forbidden(attributes, reason);
    representation = negotiate(request, url.searchParams);
    const context = { server, request, info, user, representation };
    return info.isResource ? await serveResource(context) : await serveNonResource(context);
  };
  const response = await answer().catch((error: unknown) => respondFailure(request, error, representation));
  response.headers.set('audit-id', randomUUID());
  return response;
};
