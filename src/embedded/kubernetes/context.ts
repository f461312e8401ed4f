// What a handler gets: the parts of the server, and one request with its user.
import type { Shop } from '../shop.ts';
import type { Authenticator } from './authentication.ts';
import type { Authorizer, User } from './authorization.ts';
import type { Representation } from './negotiation.ts';
import type { RequestInfo } from './request-info.ts';
import type { Resource, ResourceRegistry } from './resources.ts';
import type { ObjectStore } from './store.ts';
import type { Streams } from './streams.ts';

export interface ServerParts {
  readonly store: ObjectStore;
  readonly registry: ResourceRegistry;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly clock: () => number;
  readonly streams: Streams;
  readonly shop: Shop;
}

export interface RequestContext {
  readonly server: ServerParts;
  readonly request: Request;
  readonly info: RequestInfo;
  readonly user: User;
  readonly representation: Representation;
  /** What the answer warns of, whatever becomes of the request. */
  readonly warnings: string[];
}

export interface ResourceContext extends RequestContext {
  readonly resource: Resource;
}

export type ResourceHandler = (context: ResourceContext) => Promise<Response>;
