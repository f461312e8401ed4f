// Objects as JSON text, in every view. Texts of stored objects are kept, since objects never change: large lists are mostly joined strings.
import type { Json, JsonObject } from './json.ts';
import type { Representation } from './negotiation.ts';
import type { KubernetesObject } from './object.ts';
import { type Resource, toGroupVersion } from './resources.ts';
import { badRequest, StatusError } from './status.ts';
import { columnsOf, type Row, toRows } from './table/index.ts';
import type { PrintContext } from './table/printer.ts';
import { toView } from './views.ts';

const wholeTexts = new WeakMap<KubernetesObject, string>();
const bareTexts = new WeakMap<KubernetesObject, string>();
const metadataTexts = new WeakMap<KubernetesObject, string>();

const kept = (texts: WeakMap<KubernetesObject, string>, object: KubernetesObject, make: () => JsonObject): string => {
  const known = texts.get(object);
  if (known !== undefined) return known;
  const text = JSON.stringify(make());
  texts.set(object, text);
  return text;
};

export const encodeWhole = (object: KubernetesObject): string => kept(wholeTexts, object, () => object);

/** In a list of a built-in kind the items do not repeat their type. */
const encodeBare = (object: KubernetesObject): string =>
  kept(bareTexts, object, () => {
    const { kind: _kind, apiVersion: _apiVersion, ...rest } = object;
    return rest;
  });

const encodeMetadata = (object: KubernetesObject, version: string): string => {
  const text = kept(metadataTexts, object, () => object.metadata);
  return `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/${version}","metadata":${text}}`;
};

export interface ListMetadata {
  readonly resourceVersion?: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

export interface EncodeContext extends PrintContext {
  readonly resource: Resource;
  readonly representation: Representation;
  readonly query: URLSearchParams;
}

const toListMetadata = (metadata: ListMetadata): string =>
  JSON.stringify({
    ...(metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion }),
    ...(metadata.continue === undefined ? {} : { continue: metadata.continue }),
    ...(metadata.remainingItemCount === undefined ? {} : { remainingItemCount: metadata.remainingItemCount }),
  });

/** A list of stored objects in the form and the version that were asked for. */
export const encodeList = (stored: readonly KubernetesObject[], metadata: ListMetadata, context: EncodeContext): string => {
  const { resource, representation } = context;
  const { view, viewVersion } = representation;
  if (view === 'Table') return encodeTable(stored, metadata, context, { isList: true, hasHeaders: true });
  const objects = stored.map((object) => toView(object, resource));
  const meta = toListMetadata(metadata);
  if (view === 'PartialObjectMetadataList') {
    const items = objects.map((object) => encodeMetadata(object, viewVersion)).join(',');
    return `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/${viewVersion}","metadata":${meta},"items":[${items}]}`;
  }
  if (view === 'PartialObjectMetadata')
    throw notAcceptable(`you requested PartialObjectMetadata, but the requested object is a list (${goType(resource, resource.listKind)})`);
  const apiVersion = toGroupVersion(resource.group, resource.version);
  if (resource.custom !== undefined) {
    // Custom lists are maps in the server: keys sorted, an empty token written out.
    const listMeta = toListMetadata({ continue: '', ...metadata });
    const items = objects.map(encodeWhole).join(',');
    return `{"apiVersion":${JSON.stringify(apiVersion)},"items":[${items}],"kind":${JSON.stringify(resource.listKind)},"metadata":${listMeta}}`;
  }
  const items = objects.map(encodeBare).join(',');
  return `{"kind":"${resource.listKind}","apiVersion":"${apiVersion}","metadata":${meta},"items":[${items}]}`;
};

/** One stored object in the form and the version that were asked for. */
export const encodeObject = (stored: KubernetesObject, context: EncodeContext, hasHeaders = true): string => {
  const { view, viewVersion } = context.representation;
  const object = toView(stored, context.resource);
  if (view === 'object') return encodeWhole(object);
  if (view === 'Table') {
    const { resourceVersion } = object.metadata;
    return encodeTable([stored], resourceVersion === undefined ? {} : { resourceVersion }, context, { isList: false, hasHeaders });
  }
  if (view === 'PartialObjectMetadata') return encodeMetadata(object, viewVersion);
  throw notAcceptable(
    `you requested PartialObjectMetadataList, but the requested object is not a list (${goType(context.resource, object.kind)})`,
  );
};

const notAcceptable = (message: string): StatusError => new StatusError(406, 'NotAcceptable', message);

/** The server's error names its own Go type. */
const goType = (resource: Resource, kind: string): string => {
  if (resource.custom !== undefined) return kind.endsWith('List') ? '*unstructured.UnstructuredList' : '*unstructured.Unstructured';
  return `*${resource.group === '' ? 'core' : resource.group.split('.')[0]}.${kind}`;
};

interface TableOptions {
  readonly isList: boolean;
  /** In a watch only the first event repeats the columns. */
  readonly hasHeaders: boolean;
}

const encodeTable = (
  objects: readonly KubernetesObject[],
  metadata: ListMetadata,
  context: EncodeContext,
  { isList, hasHeaders }: TableOptions,
): string => {
  const { resource, representation, query } = context;
  const include = query.get('includeObject') ?? '';
  if (!['', 'None', 'Metadata', 'Object'].includes(include)) {
    throw badRequest(
      `Unable to convert to Table as requested: includeObject: Invalid value: "${include}": must be 'Metadata', 'Object', 'None', or empty`,
    );
  }
  const toObject = (object: KubernetesObject): string => {
    if (include === 'None') return 'null';
    return include === 'Object' ? encodeWhole(toView(object, resource)) : encodeMetadata(toInternal(object), representation.viewVersion);
  };
  const rows = toRows(resource, objects, context, isList).map((row) => encodeRow(row, toObject(row.object)));
  const columns = JSON.stringify(hasHeaders ? columnsOf(resource) : null);
  const apiVersion = `meta.k8s.io/${representation.viewVersion}`;
  return `{"kind":"Table","apiVersion":"${apiVersion}","metadata":${toListMetadata(metadata)},"columnDefinitions":${columns},"rows":[${rows.join(',')}]}`;
};

const GENERATION_NOTE = 'deprecated.daemonset.template.generation';
const internals = new WeakMap<KubernetesObject, KubernetesObject>();

/** Tables are made of the server's own form, in which a DaemonSet has a field where its API has an annotation. */
const toInternal = (object: KubernetesObject): KubernetesObject => {
  const { annotations } = object.metadata;
  if (annotations?.[GENERATION_NOTE] === undefined) return object;
  const known = internals.get(object);
  if (known !== undefined) return known;
  const { [GENERATION_NOTE]: _generation, ...rest } = annotations;
  const { annotations: _annotations, ...metadata } = object.metadata;
  const internal = {
    ...object,
    metadata: { ...metadata, name: object.metadata.name, ...(Object.keys(rest).length === 0 ? {} : { annotations: rest }) },
  };
  internals.set(object, internal);
  return internal;
};

const encodeRow = ({ cells, conditions }: Row, object: string): string => {
  const shown = conditions === undefined ? '' : `"conditions":${JSON.stringify(conditions)},`;
  return `{"cells":${JSON.stringify(cells)},${shown}"object":${object}}`;
};

/** Anything else as one JSON text. */
export const encodeJson = (value: Json): string => JSON.stringify(value);
