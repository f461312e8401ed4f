// Lists: selectors, paging over one snapshot, and the meaning of resourceVersion (apiserver, pkg/storage; KEP-1904).

import type { ListMetadata } from './encode.ts';
import { parseFieldSelector } from './field-selector.ts';
import { at, isObject, type Json, parseJson } from './json.ts';
import { parseLabelSelector } from './label-selector.ts';
import { type KubernetesObject, keyOf } from './object.ts';
import type { Resource } from './resources.ts';
import { badRequest, expired, invalid, StatusError } from './status.ts';
import { firstAtOrAfter, type ObjectStore } from './store.ts';

export type Match = (object: KubernetesObject) => boolean;

export interface Selection {
  readonly matches: Match;
  /** With a selector the server does not know how many are left. */
  readonly hasSelector: boolean;
}

export const toSelection = (query: URLSearchParams, resource: Resource): Selection => {
  const labels = parseLabelSelector(query.get('labelSelector') ?? '');
  const fields = parseFieldSelector(query.get('fieldSelector') ?? '', resource);
  if (labels.isEmpty && fields.isEmpty) return { matches: () => true, hasSelector: false };
  return { matches: (object) => labels.matches(object.metadata.labels ?? {}) && fields.matches(object), hasSelector: true };
};

const parseInteger = (query: URLSearchParams, name: string): number => {
  const text = query.get(name);
  if (text === null || text === '') return 0;
  if (!/^[-+]?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
};

export const parseRevision = (text: string): number => {
  if (text === '' || text === '0') return 0;
  if (!/^\d+$/.test(text)) {
    throw badRequest(
      `invalid resource version: resourceVersion: Invalid value: "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`,
    );
  }
  return Number(text);
};

/** Outside of lists the server forgets to call a wrong revision a bad request: it is an error without a reason. */
export const parseSingleRevision = (text: string): number => {
  try {
    return parseRevision(text);
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    throw new StatusError(500, '', error.message.replace('invalid resource version: ', ''));
  }
};

const forbidden = (field: string, message: string): StatusError =>
  invalid('meta.k8s.io', 'ListOptions', '', [{ reason: 'FieldValueForbidden', message: `Forbidden: ${message}`, field }]);

/** Combinations of resourceVersion and resourceVersionMatch that the server refuses with 422. */
export const validateListOptions = (query: URLSearchParams, isWatch: boolean): void => {
  const match = query.get('resourceVersionMatch') ?? '';
  const revision = query.get('resourceVersion') ?? '';
  const initialEvents = query.get('sendInitialEvents');
  if (initialEvents !== null) {
    if (!isWatch) throw forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list');
    if (match !== 'NotOlderThan')
      throw forbidden('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
    return;
  }
  if (match === '') return;
  if (isWatch) {
    const unless = 'Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided';
    const errors = [{ reason: 'FieldValueForbidden', message: unless, field: 'resourceVersionMatch' }];
    if (match !== 'NotOlderThan') {
      errors.push({
        reason: 'FieldValueNotSupported',
        message: `Unsupported value: "${match}": supported values: "NotOlderThan"`,
        field: 'resourceVersionMatch',
      });
    }
    throw invalid('meta.k8s.io', 'ListOptions', '', errors);
  }
  if (revision === '') throw forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden unless resourceVersion is provided');
  if ((query.get('continue') ?? '') !== '')
    throw forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided');
  if (match !== 'Exact' && match !== 'NotOlderThan') {
    const message = `Unsupported value: "${match}": supported values: "Exact", "NotOlderThan", ""`;
    throw invalid('meta.k8s.io', 'ListOptions', '', [{ reason: 'FieldValueNotSupported', message, field: 'resourceVersionMatch' }]);
  }
  if (match === 'Exact' && revision === '0')
    throw forbidden('resourceVersionMatch', 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
};

/** A revision from the future: the server waits three seconds for it, then gives up; here it gives up at once. */
export const tooLarge = (revision: number, current: number): StatusError =>
  new StatusError(504, 'Timeout', `Timeout: Too large resource version: ${revision}, current: ${current}`, {
    details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }], retryAfterSeconds: 1 },
  });

interface Token {
  readonly revision: number;
  readonly start: string;
}

const TOKEN_VERSION = 'meta.k8s.io/v1';

const encodeToken = ({ revision, start }: Token): string =>
  Buffer.from(JSON.stringify({ v: TOKEN_VERSION, rv: revision, start: `/${start}\u0000` })).toString('base64url');

const badToken = (why: string): StatusError => badRequest(`invalid continue token: continue key is not valid: ${why}`);

const readToken = (text: string): Json => {
  const decoded = Buffer.from(text, 'base64url');
  try {
    return parseJson(decoded.toString());
  } catch {
    throw badToken(`invalid character '${String.fromCharCode(decoded[0] ?? 0)}' looking for beginning of value`);
  }
};

const decodeToken = (text: string): Token => {
  const token = readToken(text);
  const [version, revision, start] = isObject(token) ? [at(token, 'v'), at(token, 'rv'), at(token, 'start')] : [];
  if (version !== TOKEN_VERSION) throw badToken(`server does not recognize this encoded version ${String(version ?? '')}`);
  if (typeof revision !== 'number' || revision === 0) throw badToken('incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  if (typeof start !== 'string' || start === '') throw badToken('encoded start key empty (version meta.k8s.io/v1)');
  return { revision, start: start.replace(/^\//, '') };
};

const TOO_OLD =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';

export interface Page {
  readonly objects: readonly KubernetesObject[];
  readonly metadata: ListMetadata;
}

export interface ListScope {
  readonly store: ObjectStore;
  readonly resource: Resource;
  readonly namespace: string;
  readonly query: URLSearchParams;
}

/** One page of a collection. */
export const listPage = (scope: ListScope): Page => {
  const { query, resource, store, namespace } = scope;
  validateListOptions(query, false);
  const selection = toSelection(query, resource);
  const limit = parseInteger(query, 'limit');
  const token = query.get('continue') ?? '';
  if (token !== '') return continued(scope, selection, limit, decodeToken(token));
  const revision = parseRevision(query.get('resourceVersion') ?? '');
  if (revision > store.revision) throw tooLarge(revision, store.revision);
  const isExact = query.get('resourceVersionMatch') === 'Exact';
  const isPastPage = revision > 0 && limit > 0 && !query.has('resourceVersionMatch');
  if (isExact || isPastPage) {
    const objects = store.allAt(resource.storage, namespace, revision);
    return cut(objects, 0, revision, limit, selection, scope);
  }
  // From the cache ("0") the limit is ignored: the whole collection comes at once.
  const effectiveLimit = query.get('resourceVersion') === '0' ? 0 : limit;
  return cut(store.all(resource.storage, namespace), 0, store.revision, effectiveLimit, selection, scope);
};

const continued = (scope: ListScope, selection: Selection, limit: number, token: Token): Page => {
  const { store, namespace, query } = scope;
  const requested = query.get('resourceVersion') ?? '';
  if (requested !== '' && requested !== '0') throw badRequest('specifying resource version is not allowed when using continue');
  const key = namespace === '' ? token.start : `${namespace}/${token.start}`;
  // A negative revision comes from the token of a 410: carry on from here with what there is now.
  const revision = token.revision < 0 ? store.revision : token.revision;
  const objects = snapshot(scope, revision, token);
  return cut(objects, firstAtOrAfter(objects, key), revision, limit, selection, scope);
};

const snapshot = ({ store, resource, namespace }: ListScope, revision: number, token: Token): readonly KubernetesObject[] => {
  try {
    return store.allAt(resource.storage, namespace, revision);
  } catch (error) {
    if (!(error instanceof StatusError) || error.code !== 410) throw error;
    throw expired(TOO_OLD, encodeToken({ revision: -1, start: token.start.split('\0')[0] ?? '' }));
  }
};

const cut = (
  objects: readonly KubernetesObject[],
  from: number,
  revision: number,
  limit: number,
  { matches, hasSelector }: Selection,
  { namespace }: ListScope,
): Page => {
  const resourceVersion = String(revision);
  if (limit <= 0) {
    const rest = from === 0 ? objects : objects.slice(from);
    return { objects: hasSelector ? rest.filter(matches) : rest, metadata: { resourceVersion } };
  }
  const page: KubernetesObject[] = [];
  let index = from;
  for (; index < objects.length && page.length < limit; index += 1) {
    const object = objects[index];
    if (object !== undefined && matches(object)) page.push(object);
  }
  const last = objects[index - 1];
  if (index >= objects.length || last === undefined) return { objects: page, metadata: { resourceVersion } };
  const key = keyOf(last);
  const start = namespace === '' ? key : key.slice(namespace.length + 1);
  const remaining = hasSelector ? {} : { remainingItemCount: objects.length - index };
  return { objects: page, metadata: { resourceVersion, continue: encodeToken({ revision, start }), ...remaining } };
};
