// Bodies of writes: decoded, of the right kind, without fields that the kind does not have.
import { parse } from 'yaml';
import type { ResourceContext } from './context.ts';
import { isObject, type Json, type JsonObject, parseJson, textAt } from './json.ts';
import type { KubernetesObject, ObjectMeta } from './object.ts';
import { decodeProtobuf, PROTOBUF, ProtobufFault } from './protobuf/decode.ts';
import type { RequestInfo } from './request-info.ts';
import { toGroupVersion } from './resources.ts';
import { findTypeFault, prune, schemaOf } from './schema.ts';
import { badRequest, type FieldError, invalid, unsupportedMediaType } from './status.ts';

const ACCEPTED = ['application/json', 'application/yaml'];

export interface Body {
  readonly object: KubernetesObject;
}

export const mediaTypeOf = (request: Request): string => (request.headers.get('content-type') ?? '').split(';')[0]?.trim() ?? '';

const toHex = (text: string): string => {
  const hex = Buffer.from(text).toString('hex');
  return hex.length > 60 ? `${hex.slice(0, 60)} ...` : hex;
};

const whyNotJson = (text: string): string => {
  if (text.trim() === '') return 'json parse error: unexpected end of JSON input (<empty>)';
  return `json parse error: invalid character '${text.trimStart().charAt(0)}' looking for beginning of value (${toHex(text)})`;
};

const parseYaml = (text: string): Json => {
  try {
    const value: Json = parse(text);
    return value;
  } catch (error) {
    throw badRequest(`error converting YAML to JSON: ${error instanceof Error ? error.message.split('\n')[0] : ''}`);
  }
};

const parseText = (text: string, mediaType: string, kind: string): Json => {
  if (mediaType === 'application/yaml') return parseYaml(text);
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch {
    throw badRequest(`the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; ${whyNotJson(text)}`);
  }
};

/** The value of a body in the form that clients in Go prefer. */
const readProtobuf = async (request: Request, kind: string): Promise<Json> => {
  const body = Buffer.from(await request.arrayBuffer());
  try {
    return decodeProtobuf(body);
  } catch (error) {
    if (!(error instanceof ProtobufFault)) throw error;
    const hex = body.toString('hex');
    throw badRequest(unrecognised(kind, `${error.message} (${hex.length > 60 ? `${hex.slice(0, 60)} ...` : hex})`));
  }
};

/** The JSON value of a request's body; 415 when its media type is not one of those that the server reads. */
export const readValue = async (request: Request, kind: string): Promise<Json> => {
  const mediaType = mediaTypeOf(request);
  if (mediaType === PROTOBUF) return readProtobuf(request, kind);
  // No media type, or that of a plain form, is taken for JSON only when there is none.
  if (mediaType !== '' && !ACCEPTED.includes(mediaType)) throw unsupportedMediaType([...ACCEPTED, PROTOBUF]);
  return parseText(await request.text(), mediaType, kind);
};

const goName = (kind: string, path: string): string => `${kind}.${path}`;

/** Turns a decoded value into an object of the resource, or refuses it as the decoder does. */
export const toTypedObject = (context: ResourceContext, value: Json): Body => {
  const { resource, info } = context;
  const apiVersion = toGroupVersion(resource.group, resource.version);
  if (!isObject(value)) throw badRequest(notAnObject(resource.kind, value));
  if (resource.custom !== undefined && (textAt(value, 'kind') === '' || textAt(value, 'apiVersion') === ''))
    throw badRequest(untyped(resource.kind, value));
  const kind = textAt(value, 'kind') || resource.kind;
  const givenVersion = textAt(value, 'apiVersion') || apiVersion;
  if (kind !== resource.kind || givenVersion !== apiVersion) throw wrongKind(kind, givenVersion, resource.kind, resource.group);
  const schema = schemaOf(resource);
  const fault = schema === undefined || resource.custom !== undefined ? undefined : findTypeFault(value, schema);
  if (fault !== undefined) {
    throw badRequest(
      `${kind} in version "${resource.version}" cannot be handled as a ${kind}: json: cannot unmarshal ${fault.found} into Go struct field ${goName(kind, fault.path)} of type ${goType(fault.wanted)}`,
    );
  }
  refuseBadBase64(kind, resource.version, value);
  const { value: pruned, unknown } = schema === undefined ? { value, unknown: [] } : prune(value, schema);
  context.warnings.push(...judgeUnknown(info, unknown, kind, resource.version));
  return { object: { ...pruned, kind, apiVersion, metadata: toMetadata(pruned['metadata']) } };
};

/** Bytes are written as base64, which the decoder reads strictly. */
const BYTES: Readonly<Record<string, string>> = { Secret: 'data', ConfigMap: 'binaryData' };

const refuseBadBase64 = (kind: string, version: string, value: JsonObject): void => {
  const part = BYTES[kind];
  const entries = part === undefined || version !== 'v1' ? {} : value[part];
  for (const text of isObject(entries) ? Object.values(entries) : []) {
    if (typeof text !== 'string') continue;
    const plain = text.replace(/[\r\n]/g, '');
    const good = /^[A-Za-z0-9+/]*/.exec(plain)?.[0].length ?? 0;
    const isWhole = plain.length % 4 === 0 && /^={0,2}$/.test(plain.slice(good));
    if (isWhole) continue;
    const place = good < plain.length && plain[good] !== '=' ? good : plain.length - (plain.length % 4);
    throw badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: illegal base64 data at input byte ${place}`);
  }
};

const unrecognised = (kind: string, why: string): string => `the object provided is unrecognized (must be of type ${kind}): ${why}`;

/** The decoder's words for a value that is no object, with its own Go type. */
const notAnObject = (kind: string, value: Json): string => {
  const type = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';
  const text = JSON.stringify(value);
  return unrecognised(
    kind,
    `couldn't get version/kind; json parse error: json: cannot unmarshal ${Array.isArray(value) ? 'array' : typeof value} into Go value of type ${type} (${toHex(text)})`,
  );
};

/** Objects of custom kinds must name their type. */
const untyped = (kind: string, value: JsonObject): string => {
  const text = JSON.stringify(value);
  const missing = textAt(value, 'kind') === '' ? 'Kind' : 'apiVersion';
  return unrecognised(kind, `Object '${missing}' is missing in '${text}' (${text.length > 30 ? `${text.slice(0, 30)} ...` : text})`);
};

const goType = (wanted: string): string =>
  ({ boolean: 'bool', integer: 'int32', number: 'float64', array: '[]interface {}', object: 'map[string]interface {}' })[wanted] ?? wanted;

const wrongKind = (kind: string, apiVersion: string, wanted: string, group: string): Error => {
  const version = apiVersion.split('/').at(-1) ?? '';
  if (kind === wanted) {
    return badRequest(
      `${kind} in version "${version}" cannot be handled as a ${wanted}: no kind "${kind}" is registered for version "${apiVersion}" in scheme "pkg/runtime/scheme.go:111"`,
    );
  }
  const internal = group === '' ? 'core' : (group.split('.')[0] ?? '');
  return badRequest(
    `${kind} in version "${version}" cannot be handled as a ${wanted}: converting (${version}.${kind}) to (${internal}.${wanted}): unknown conversion`,
  );
};

const OPTIONS: Readonly<Record<string, string>> = { update: 'UpdateOptions', patch: 'PatchOptions' };

/** fieldValidation: Strict refuses unknown fields, Warn (the default) tells of them, Ignore drops them silently. */
export const checkFieldValidation = ({ query, verb }: RequestInfo): string => {
  const mode = query.get('fieldValidation') || 'Warn';
  if (['Ignore', 'Warn', 'Strict'].includes(mode)) return mode;
  const message = `Unsupported value: "${mode}": supported values: "", "Ignore", "Strict", "Warn"`;
  throw invalid('meta.k8s.io', OPTIONS[verb] ?? 'CreateOptions', '', [
    { reason: 'FieldValueNotSupported', message, field: 'fieldValidation' },
  ]);
};

const judgeUnknown = (info: RequestInfo, unknown: readonly string[], kind: string, version: string): readonly string[] => {
  const mode = checkFieldValidation(info);
  const texts = unknown.map((path) => `unknown field "${path}"`);
  if (mode === 'Strict' && texts.length > 0) {
    throw badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: strict decoding error: ${texts.join(', ')}`);
  }
  return mode === 'Warn' ? texts : [];
};

const toMetadata = (value: Json | undefined): ObjectMeta => {
  const metadata = isObject(value) ? value : {};
  return { ...metadata, name: textAt(metadata, 'name') };
};

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

const SUBDOMAIN_HELP =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_HELP =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

/** Roles may be called almost anything; namespaces and services are labels; the rest are subdomains. */
const nameFault = (kind: string, name: string): string | undefined => {
  if (/^(Cluster)?Role(Binding)?$/.test(kind)) return /[/%]|^\.{1,2}$/.test(name) ? `may not contain '/'` : undefined;
  if (kind === 'Namespace' || kind === 'Service') {
    if (name.length > 63) return 'must be no more than 63 bytes';
    return LABEL.test(name) ? undefined : LABEL_HELP;
  }
  if (name.length > 253) return 'must be no more than 253 bytes';
  return SUBDOMAIN.test(name) ? undefined : SUBDOMAIN_HELP;
};

/** 422 for a name that the kind does not allow. */
export const validateName = (group: string, kind: string, name: string): void => {
  const errors: FieldError[] = [];
  if (name === '')
    errors.push({ reason: 'FieldValueRequired', message: 'Required value: name or generateName is required', field: 'metadata.name' });
  const fault = name === '' ? undefined : nameFault(kind, name);
  if (fault !== undefined)
    errors.push({ reason: 'FieldValueInvalid', message: `Invalid value: ${JSON.stringify(name)}: ${fault}`, field: 'metadata.name' });
  if (errors.length > 0) throw invalid(group, kind, name, errors);
};

/** Isolated: a JSON object of options, such as DeleteOptions; an absent body has none. */
export const readOptions = async (request: Request): Promise<JsonObject | undefined> => {
  if (mediaTypeOf(request) === PROTOBUF) {
    const value = await readProtobuf(request, 'DeleteOptions');
    return isObject(value) ? value : {};
  }
  const text = await request.text();
  if (text.trim() === '') return undefined;
  try {
    const value = mediaTypeOf(request) === 'application/yaml' ? parseYaml(text) : parseJson(text);
    return isObject(value) ? value : {};
  } catch {
    throw badRequest(`couldn't get version/kind; ${whyNotJson(text).replace(/ \([0-9a-f]+( \.\.\.)?\)$/, '')}`);
  }
};
