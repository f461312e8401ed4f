// GET of one object and of collections.
import type { ResourceContext } from './context.ts';
import { type EncodeContext, encodeList, encodeObject } from './encode.ts';
import { listPage, parseSingleRevision, tooLarge } from './list.ts';
import type { KubernetesObject } from './object.ts';
import { respondText } from './respond.ts';
import { notFound } from './status.ts';

export const toEncodeContext = ({ server, resource, representation, info }: ResourceContext): EncodeContext => ({
  now: server.clock(),
  resource,
  representation,
  query: info.query,
});

/** The stored object of the path; 404 when there is none. */
export const findObject = ({ server, resource, info }: ResourceContext): KubernetesObject => {
  const object = server.store.get(resource.storage, resource.namespaced ? info.namespace : '', info.name);
  if (object === undefined) throw notFound(resource, info.name);
  return object;
};

export const getObject = async (context: ResourceContext): Promise<Response> => {
  const { request, representation, info, server } = context;
  const revision = parseSingleRevision(info.query.get('resourceVersion') ?? '');
  if (revision > server.store.revision) throw tooLarge(revision, server.store.revision);
  const object = findObject(context);
  return respondText(request, encodeObject(object, toEncodeContext(context)), { representation });
};

export const listObjects = async (context: ResourceContext): Promise<Response> => {
  const { request, representation, server, resource, info } = context;
  const { objects, metadata } = listPage({
    store: server.store,
    resource,
    namespace: resource.namespaced ? info.namespace : '',
    query: info.query,
  });
  return respondText(request, encodeList(objects, metadata, toEncodeContext(context)), { representation });
};
