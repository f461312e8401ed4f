// Questions about access that are asked by creating an object: who am I, may I, may they, what may I.
import type { Attributes, User } from './authorization.ts';
import { type Body, readValue, toTypedObject } from './body.ts';
import type { ResourceContext, ResourceHandler } from './context.ts';
import { at, isObject, type Json, type JsonObject, listAt, objectAt, textAt, toTime } from './json.ts';
import { toManagedFields } from './managed-fields.ts';
import { managerOf } from './managers.ts';
import { toGroupVersion } from './resources.ts';
import { respond } from './respond.ts';
import { badRequest, type FieldError, invalid } from './status.ts';

const texts = (value: Json | undefined, ...path: readonly string[]): string[] =>
  listAt(value, ...path).filter((item) => typeof item === 'string');

const toUserInfo = ({ name, uid, groups, extra }: User): JsonObject => ({
  username: name,
  ...(uid === '' ? {} : { uid }),
  groups: [...groups],
  ...(Object.keys(extra).length === 0
    ? {}
    : { extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]])) }),
});

const readReview = async (context: ResourceContext): Promise<Body> =>
  toTypedObject(context, await readValue(context.request, context.resource.kind));

const answer = (context: ResourceContext, metadata: JsonObject, spec: JsonObject | undefined, status: JsonObject): Promise<Response> => {
  const { resource, request, representation } = context;
  const apiVersion = toGroupVersion(resource.group, resource.version);
  const body = { kind: resource.kind, apiVersion, metadata, ...(spec === undefined ? {} : { spec }), status };
  return respond(request, body, { status: 201, representation });
};

/** Even an object that is never stored says who wrote it. */
const writtenMetadata = ({ request, server, resource, info }: ResourceContext, spec: JsonObject): JsonObject => {
  const apiVersion = toGroupVersion(resource.group, resource.version);
  const fields = toManagedFields(
    { spec },
    { manager: managerOf(request, info.query), operation: 'Update', apiVersion, kind: resource.kind, time: toTime(server.clock()) },
  );
  return { ...(resource.namespaced ? { namespace: info.namespace } : {}), managedFields: [fields] };
};

const selfReview: ResourceHandler = async (context) => {
  await readReview(context);
  return answer(context, { creationTimestamp: toTime(context.server.clock()) }, undefined, { userInfo: toUserInfo(context.user) });
};

const toQuestion = (spec: JsonObject, user: User): Attributes => {
  const resource = spec['resourceAttributes'];
  const isResource = isObject(resource);
  const wanted = isResource ? resource : objectAt(spec, 'nonResourceAttributes');
  return {
    user,
    verb: textAt(wanted, 'verb'),
    isResource,
    group: textAt(wanted, 'group'),
    resource: textAt(wanted, 'resource'),
    subresource: textAt(wanted, 'subresource'),
    namespace: textAt(wanted, 'namespace'),
    name: textAt(wanted, 'name'),
    path: textAt(wanted, 'path'),
  };
};

const validateSpec = (group: string, spec: JsonObject, needsUser: boolean, namespace: string | undefined): void => {
  const errors: FieldError[] = [];
  const hasBoth = isObject(spec['resourceAttributes']) && isObject(spec['nonResourceAttributes']);
  const hasNone = !isObject(spec['resourceAttributes']) && !isObject(spec['nonResourceAttributes']);
  if (hasNone)
    errors.push(fault('spec', 'Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified'));
  if (hasBoth) {
    const given = toGoJson(objectAt(spec, 'nonResourceAttributes'));
    errors.push(fault('spec', `Invalid value: ${given}: exactly one of nonResourceAttributes or resourceAttributes must be specified`));
  }
  if (needsUser && textAt(spec, 'user') === '' && texts(spec, 'groups').length === 0) {
    errors.push(fault('spec.user', 'Invalid value: "": at least one of user or group must be specified'));
  }
  const asked = textAt(spec, 'resourceAttributes', 'namespace');
  if (namespace !== undefined && asked !== namespace) {
    errors.push(fault('spec.resourceAttributes.namespace', `Invalid value: "${asked}": must match metadata.namespace`));
  }
  if (errors.length > 0) throw invalid(group, '', '', errors);
};

/** The attributes as the server's own type spells them. */
const toGoJson = (attributes: JsonObject): string => JSON.stringify({ Path: textAt(attributes, 'path'), Verb: textAt(attributes, 'verb') });

const fault = (field: string, message: string): FieldError => ({ reason: 'FieldValueInvalid', message, field });

const decide = (context: ResourceContext, spec: JsonObject, user: User): JsonObject => {
  const { isAllowed, reason } = context.server.authorizer.decide(toQuestion(spec, user));
  return { allowed: isAllowed, ...(reason === '' ? {} : { reason }) };
};

const selfAccessReview: ResourceHandler = async (context) => {
  const { object } = await readReview(context);
  const spec = objectAt(object, 'spec');
  validateSpec(context.resource.group, spec, false, undefined);
  return answer(context, writtenMetadata(context, spec), spec, decide(context, spec, context.user));
};

const accessReview: ResourceHandler = async (context) => {
  const { object } = await readReview(context);
  const spec = objectAt(object, 'spec');
  const namespace = context.resource.namespaced ? context.info.namespace : undefined;
  validateSpec(context.resource.group, spec, true, namespace);
  const user = { name: textAt(spec, 'user'), uid: textAt(spec, 'uid'), groups: texts(spec, 'groups'), extra: {} };
  return answer(context, writtenMetadata(context, spec), spec, decide(context, spec, user));
};

const rulesReview: ResourceHandler = async (context) => {
  const { object } = await readReview(context);
  const namespace = textAt(object, 'spec', 'namespace');
  if (namespace === '') throw badRequest('no namespace on request');
  const rules = context.server.authorizer.rulesFor(context.user, namespace).map(({ rule }) => rule);
  const pick = (rule: JsonObject, keys: readonly string[]): JsonObject =>
    Object.fromEntries(keys.flatMap((key) => (at(rule, key) === undefined ? [] : [[key, rule[key]]])));
  const resourceRules = rules
    .filter((rule) => listAt(rule, 'resources').length > 0)
    .map((rule) => pick(rule, ['verbs', 'apiGroups', 'resources', 'resourceNames']));
  const nonResourceRules = rules
    .filter((rule) => listAt(rule, 'nonResourceURLs').length > 0)
    .map((rule) => pick(rule, ['verbs', 'nonResourceURLs']));
  return answer(context, {}, {}, { resourceRules, nonResourceRules, incomplete: false });
};

const tokenReview: ResourceHandler = async (context) => {
  const { object } = await readReview(context);
  const spec = objectAt(object, 'spec');
  const user = context.server.authenticator.find(textAt(spec, 'token'));
  const status =
    user === undefined
      ? { user: {}, error: 'invalid bearer token' }
      : { authenticated: true, user: toUserInfo(user), audiences: ['https://kubernetes.default.svc.cluster.local'] };
  return answer(context, writtenMetadata(context, spec), spec, status);
};

/** Handlers by `<plural>.<group>`. */
export const REVIEWS: Readonly<Record<string, ResourceHandler>> = {
  'selfsubjectreviews.authentication.k8s.io': selfReview,
  'tokenreviews.authentication.k8s.io': tokenReview,
  'selfsubjectaccessreviews.authorization.k8s.io': selfAccessReview,
  'subjectaccessreviews.authorization.k8s.io': accessReview,
  'localsubjectaccessreviews.authorization.k8s.io': accessReview,
  'selfsubjectrulesreviews.authorization.k8s.io': rulesReview,
};
