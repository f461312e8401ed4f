// The embedded Kubernetes: an API server in this process, as its clients see one, that tells the story of the shop.
import { stringify } from 'yaml';
import { Shop, uuidOf } from '../shop.ts';
import { serve } from './api-server.ts';
import { Authenticator, type UserName } from './authentication.ts';
import { Authorizer } from './authorization.ts';
import { Controllers } from './controllers/index.ts';
import { type Fault, Faults } from './faults.ts';
import { toTime } from './json.ts';
import { type Listener, openListener } from './listener.ts';
import { lastWritten } from './managed-fields.ts';
import type { KubernetesObject } from './object.ts';
import { ResourceRegistry } from './resources.ts';
import { benchObjects } from './shop/bench.ts';
import { shopObjects } from './shop/index.ts';
import { ObjectStore } from './store.ts';
import { Streams } from './streams.ts';

export type { Fault, FaultResponse } from './faults.ts';
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
  /** Whether controllers, scheduler and kubelets act; by default they do in the shop, and leave given objects alone. */
  readonly controllers?: boolean;
  /** Extra pods in the namespace `bench`. */
  readonly pods?: number;
  /** Failures from the start; more can be injected later. */
  readonly faults?: readonly Fault[];
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
  /** The objects, for tests and stories: what is put or removed here is seen by all clients. */
  readonly store: ObjectStore;
  /** The story's state, to be shared with the other backends. */
  readonly shop: Shop;
  /** Makes requests that match fail; the returned function ends that. */
  inject(fault: Fault): () => void;
  /** What was asked, newest last, bounded. */
  readonly requests: readonly RecordedRequest[];
  close(): Promise<void>;
}

const REQUESTS_KEPT = 1000;

export const createEmbeddedKubernetes = (options: EmbeddedKubernetesOptions = {}): EmbeddedKubernetes => {
  const { clock = Date.now, seed = 1 } = options;
  const shop = options.shop ?? new Shop({ clock, seed });
  const store = new ObjectStore();
  const registry = new ResourceRegistry(store);
  load(store, registry, [...(options.objects ?? shopObjects(clock, shop)), ...benchObjects(shop, options.pods ?? 0)], clock());
  const authenticator = new Authenticator();
  const controllers = (options.controllers ?? options.objects === undefined) ? new Controllers(store, registry, shop, clock) : undefined;
  const streams = new Streams(() => controllers?.advance());
  const server = { store, registry, authenticator, authorizer: new Authorizer(store), clock, streams, shop };
  const faults = new Faults();
  for (const fault of options.faults ?? []) faults.inject(fault);
  const requests: RecordedRequest[] = [];
  const listeners = new Set<Listener>();

  const handle = async (request: Request): Promise<Response> => {
    const { pathname, search } = new URL(request.url);
    const recorded = { method: request.method, path: `${pathname}${search}`, user: '' };
    requests.push(recorded);
    if (requests.length > REQUESTS_KEPT) requests.shift();
    controllers?.advance();
    const response = await faults.serve(request, () =>
      serve(server, request, (user) => {
        recorded.user = user.name;
      }),
    );
    // What follows from a write is seen by those who watch, without waiting for the next request.
    controllers?.advance();
    return response;
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
    shop,
    inject: (fault) => faults.inject(fault),
    requests,
    close: async () => {
      streams.closeAll();
      faults.close();
      await Promise.all([...listeners].map((listener) => listener.close()));
      listeners.clear();
    },
  };
};

/** Puts the seed objects into the store, in the order in which they were last written: so their revisions tell of time. Definitions of kinds come first. */
const load = (store: ObjectStore, registry: ResourceRegistry, objects: readonly KubernetesObject[], now: number): void => {
  const timed = objects.map((object) => ({ object, at: object.kind === 'CustomResourceDefinition' ? '' : lastWritten(object) }));
  for (const { object } of timed.toSorted((left, right) => (left.at < right.at ? -1 : left.at > right.at ? 1 : 0))) {
    const resource = registry.findKind(object.apiVersion, object.kind);
    if (resource === undefined) throw new Error(`no resource serves ${object.apiVersion} ${object.kind}`);
    const { metadata } = object;
    const complete = {
      ...metadata,
      uid: metadata.uid ?? uuidOf(`${object.kind}/${metadata.namespace}/${metadata.name}`),
      creationTimestamp: metadata.creationTimestamp ?? toTime(now),
    };
    store.put(resource.storage, { ...object, metadata: complete });
  }
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
