// The embedded Kubernetes: an API server in this process, as its clients see one, that tells the story of the shop.
import { stringify } from 'yaml';
import { Shop } from '../shop.ts';
import { serve } from './api-server.ts';
import { Authenticator, type UserName } from './authentication.ts';
import { Authorizer } from './authorization.ts';
import { type Listener, openListener } from './listener.ts';
import type { KubernetesObject } from './object.ts';
import { ResourceRegistry } from './resources.ts';
import { shopObjects } from './shop/index.ts';
import { ObjectStore } from './store.ts';
import { Streams } from './streams.ts';

export type { KubernetesObject } from './object.ts';
export { shopObjects } from './shop/index.ts';

export interface EmbeddedKubernetesOptions {
  /** The present in milliseconds; T0 of the story is its value at creation. */
  readonly clock?: () => number;
  readonly seed?: number;
  /** The story shared with the other backends of one platform; its own when absent. */
  readonly shop?: Shop;
  /** These objects instead of the shop. */
  readonly objects?: readonly KubernetesObject[];
  /** Extra pods in the namespace `bench`. */
  readonly pods?: number;
}

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  /** The user that the request acted as; '' when it was refused before that was known. */
  readonly user: string;
}

export interface ListenOptions {
  readonly port?: number;
  /** HTTPS with a certificate of its own; kubectl sends no token over plain HTTP. */
  readonly tls?: boolean;
}

export interface EmbeddedKubernetes {
  handle(request: Request): Promise<Response>;
  listen(options?: ListenOptions): Promise<{ readonly url: string; close(): Promise<void> }>;
  /** YAML text with a token; needs listen() first. */
  kubeconfig(user?: UserName): string;
  /** The bearer token of a user, for requests that go straight to handle(). */
  token(user?: UserName): string;
  readonly store: ObjectStore;
  readonly requests: readonly RecordedRequest[];
  close(): Promise<void>;
}

const REQUESTS_KEPT = 1000;

export const createEmbeddedKubernetes = (options: EmbeddedKubernetesOptions = {}): EmbeddedKubernetes => {
  const { clock = Date.now, seed = 1 } = options;
  const shop = options.shop ?? new Shop({ clock, seed });
  const store = new ObjectStore();
  const registry = new ResourceRegistry(store);
  for (const object of options.objects ?? shopObjects(clock, shop)) {
    const resource = registry.findKind(object.apiVersion, object.kind);
    if (resource === undefined) throw new Error(`no resource serves ${object.apiVersion} ${object.kind}`);
    store.put(resource.storage, object);
  }
  const authenticator = new Authenticator();
  const streams = new Streams(() => {});
  const server = { store, registry, authenticator, authorizer: new Authorizer(store), clock, streams, shop };
  const requests: RecordedRequest[] = [];
  const listeners = new Set<Listener>();

  const handle = async (request: Request): Promise<Response> => {
    const { pathname, search } = new URL(request.url);
    const recorded = { method: request.method, path: `${pathname}${search}`, user: '' };
    requests.push(recorded);
    if (requests.length > REQUESTS_KEPT) requests.shift();
    return serve(server, request, (user) => {
      recorded.user = user.name;
    });
  };

  return {
    handle,
    listen: async (listenOptions = {}) => {
      const listener = await openListener(handle, listenOptions);
      listeners.add(listener);
      return listener;
    },
    kubeconfig: (user = 'admin') => {
      const [listener] = listeners;
      if (listener === undefined) throw new Error('kubeconfig() needs listen() first');
      return toKubeconfig(listener, user, authenticator.tokenOf(user));
    },
    token: (user = 'admin') => authenticator.tokenOf(user),
    store,
    requests,
    close: async () => {
      streams.closeAll();
      await Promise.all([...listeners].map((listener) => listener.close()));
      listeners.clear();
    },
  };
};

const toKubeconfig = ({ url, authority }: Listener, user: string, token: string): string =>
  stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'demo',
    clusters: [
      {
        name: 'demo',
        cluster: {
          server: url,
          ...(authority === undefined ? {} : { 'certificate-authority-data': Buffer.from(authority).toString('base64') }),
        },
      },
    ],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: 'demo', context: { cluster: 'demo', user, namespace: 'shop' } }],
  });
