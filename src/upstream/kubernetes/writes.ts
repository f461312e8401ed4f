// Changes: server-side apply, patches, deletes, evictions; each may be a dry run that the server checks in full.
import { AppError } from '../../kit/errors.ts';
import { type Api, type ApiAnswer, type ApiRequest, apiLabel, type CallOptions, type ObjectAddress, subjectOf } from './api.ts';
import { isObject, type KubeObject, textAt } from './objects.ts';
import { RESOURCES, type ResourceRef } from './resources.ts';

export const FIELD_MANAGER = 'cloud-native-mcp';

export interface WriteOptions extends CallOptions {
  /** Nothing is stored; admission and validation run. A webhook without dry-run support refuses it (INVALID_ARGUMENT). */
  readonly dryRun?: boolean | undefined;
}

export interface Written {
  /** As stored, or as it would be stored. */
  readonly object: KubeObject;
  /** True when it did not exist before. */
  readonly isCreated: boolean;
  readonly warnings: readonly string[];
}

export interface ApplyOptions extends WriteOptions, ObjectAddress {
  readonly object: KubeObject;
  /** Takes over fields of other managers; without, CONFLICT (reason FIELD_MANAGER) lists them. */
  readonly force?: boolean | undefined;
}

export interface PatchOptions extends WriteOptions, ObjectAddress {
  /** `strategic` is for built-in kinds alone: UNSUPPORTED otherwise. */
  readonly patchType: 'merge' | 'json' | 'strategic';
  readonly patch: unknown;
}

export interface RemoveOptions extends WriteOptions, Omit<ObjectAddress, 'subresource'> {
  /** Background. */
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  readonly gracePeriodSeconds?: number | undefined;
  /** CONFLICT when the object is another one by now. */
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

export interface Removed {
  /** False: it still ends (grace period, finalizers). */
  readonly isGone: boolean;
  readonly warnings: readonly string[];
}

export interface EvictOptions extends WriteOptions {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly gracePeriodSeconds?: number | undefined;
  readonly uid?: string | undefined;
}

/** No write is ever repeated by itself. */
export interface Writes {
  create(
    resource: ResourceRef,
    options: WriteOptions & { readonly object: KubeObject; readonly namespace?: string | undefined },
  ): Promise<Written>;
  /** Server-side apply: creates or updates. */
  apply(resource: ResourceRef, options: ApplyOptions): Promise<Written>;
  patch(resource: ResourceRef, options: PatchOptions): Promise<Written>;
  /** The whole object; its `metadata.resourceVersion` guards against a change in between (CONFLICT). */
  replace(resource: ResourceRef, options: WriteOptions & ObjectAddress & { readonly object: KubeObject }): Promise<Written>;
  remove(resource: ResourceRef, options: RemoveOptions): Promise<Removed>;
  /** Throws FORBIDDEN when the policy refuses this deletion: for changes that end in one without being one. */
  permitDeletion(resource: ResourceRef, address: Pick<ObjectAddress, 'name' | 'namespace'>): void;
  /** FAILED_PRECONDITION (reason DISRUPTION_BUDGET) when a budget forbids it now; NOT_FOUND when the pod has gone. */
  evict(options: EvictOptions): Promise<void>;
}

const PATCH_TYPES = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
} as const;

export const createWrites = (api: Api): Writes => {
  const write = async (
    verb: string,
    resource: ResourceRef,
    { dryRun, signal, timeoutMs, name, subresource }: WriteOptions & ObjectAddress,
    request: Change,
  ) => {
    const query = { fieldManager: FIELD_MANAGER, fieldValidation: 'Strict', dryRun: dryRun ? 'All' : undefined, ...request.query };
    const names = { api: apiLabel(verb, resource, subresource), subject: subjectOf(resource, name) };
    return toWritten(await api.json({ signal, timeoutMs, ...names, ...request, query }));
  };
  return {
    create: (resource, { object, namespace, ...options }) => {
      const path = api.forChanges.collectionPath(resource, namespace ?? textAt(object, 'metadata', 'namespace') ?? api.defaultNamespace);
      return write(
        'create',
        resource,
        { ...options, name: textAt(object, 'metadata', 'name') ?? '' },
        { method: 'POST', path, body: object },
      );
    },
    apply: (resource, { object, force = false, ...options }) => {
      const path = api.forChanges.objectPath(resource, options);
      // JSON is YAML.
      const contentType = 'application/apply-patch+yaml';
      return write('apply', resource, options, { method: 'PATCH', path, body: object, contentType, query: { force } });
    },
    patch: (resource, { patchType, patch, ...options }) => {
      const path = api.forChanges.objectPath(resource, options);
      const change = { method: 'PATCH', path, body: patch, contentType: PATCH_TYPES[patchType] } as const;
      return write('patch', resource, options, change).catch(explainPatchType(resource, patchType));
    },
    replace: (resource, { object, ...options }) =>
      write('update', resource, options, { method: 'PUT', path: api.forChanges.objectPath(resource, options), body: object }),
    remove: async (resource, { propagation = 'Background', signal, timeoutMs, ...options }) => {
      const body = { ...toDeleteOptions(options), propagationPolicy: propagation };
      const names = { api: apiLabel('delete', resource), subject: subjectOf(resource, options.name) };
      const answer = await api.json({
        method: 'DELETE',
        path: api.forDeletions.objectPath(resource, options),
        // The body counts; in the address it is what audit logs of the cluster show.
        query: { dryRun: options.dryRun ? 'All' : undefined },
        body,
        signal,
        timeoutMs,
        ...names,
      });
      // A Status means gone; the object itself comes back when it still has to end.
      return { isGone: textAt(answer.body, 'kind') === 'Status', warnings: answer.warnings };
    },
    permitDeletion: (resource, address) => void api.forDeletions.objectPath(resource, address),
    evict: async ({ name, namespace = api.defaultNamespace, signal, timeoutMs, ...options }) => {
      const deleteOptions = toDeleteOptions(options);
      const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace }, deleteOptions };
      const path = api.forChanges.objectPath(RESOURCES.pods, { name, namespace, subresource: 'eviction' });
      const names = { api: 'create pods/eviction', subject: subjectOf(RESOURCES.pods, name) };
      await api.json({ method: 'POST', path, body, signal, timeoutMs, ...names });
    },
  };
};

type Change = Pick<ApiRequest, 'method' | 'path' | 'body' | 'contentType' | 'query'>;

const toDeleteOptions = ({ gracePeriodSeconds, uid, resourceVersion, dryRun }: Partial<RemoveOptions>): object => ({
  apiVersion: 'v1',
  kind: 'DeleteOptions',
  gracePeriodSeconds,
  preconditions: uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion },
  dryRun: dryRun ? ['All'] : undefined,
});

/** 415 is a fault of ours except here: custom kinds have no strategic merge. */
const explainPatchType =
  ({ kind }: ResourceRef, patchType: PatchOptions['patchType']) =>
  (error: unknown): never => {
    if (patchType !== 'strategic' || !(error instanceof AppError) || error.code !== 'INTERNAL') throw error;
    throw new AppError('UNSUPPORTED', `${kind} does not take strategic merge patches: use merge or json.`, {
      details: { argument: 'patchType', choices: ['merge', 'json'] },
      cause: error,
    });
  };

const toWritten = ({ status, body, warnings }: ApiAnswer<unknown>): Written => {
  if (isObject(body)) return { object: body, isCreated: status === 201, warnings };
  throw new AppError('DATA_ERROR', 'Kubernetes answered a change with something that is not an object.', {
    details: { service: 'kubernetes' },
  });
};
