// Kubernetes Status objects as AppErrors: the one table of the API server's refusals, for all who talk to it.
import { AppError, type ErrorCode } from '../kit/errors.ts';
import { cleanText, createToError, formatRetryAfter, type ResponseHeaders, type ToError, toUpstreamText } from './failures.ts';
import { type Fields, isFields, toFields, toInteger, toList, toText } from './shapes.ts';

/** meta/v1 Status, as far as it is used. */
export interface KubeStatus {
  readonly kind: 'Status';
  readonly code: number;
  readonly reason: string | undefined;
  readonly message: string;
  readonly name: string | undefined;
  readonly resource: string | undefined;
  readonly group: string | undefined;
  readonly causes: readonly { readonly reason: string; readonly field: string; readonly message: string }[];
  readonly retryAfterSeconds: number | undefined;
  /** A 410 may carry a token to go on with, inconsistently. */
  readonly continueToken: string | undefined;
}

/** Reads a Status from a parsed body; undefined when it is something else. */
export const parseStatus = (value: unknown): KubeStatus | undefined => {
  if (!isFields(value) || value['kind'] !== 'Status') return undefined;
  const details = toFields(value['details']);
  return {
    kind: 'Status',
    code: toInteger(value['code']) ?? 0,
    reason: toText(value['reason']),
    message: toText(value['message']) ?? '',
    name: toText(details['name']),
    resource: toText(details['kind']),
    group: toText(details['group']),
    causes: toList(details['causes']).map(toFields).map(toCause),
    retryAfterSeconds: toInteger(details['retryAfterSeconds']),
    continueToken: toText(toFields(value['metadata'])['continue']),
  };
};

const toCause = (cause: Fields) => ({
  reason: toText(cause['reason']) ?? '',
  field: cleanText(toText(cause['field']) ?? '', 200),
  message: cleanText(toText(cause['message']) ?? ''),
});

const behind = new WeakMap<AppError, KubeStatus>();

/** The Status behind an error of this table. */
export const statusOf = (error: unknown): KubeStatus | undefined => (error instanceof AppError ? behind.get(error) : undefined);

/** `subject` names the object in refusals that do not say which one they mean. */
export const createToKubeError = ({ service, subject }: { service: string; subject?: string | undefined }): ToError => {
  const other = createToError({ service, title: 'Kubernetes' });
  return (code, headers, bodyText) => {
    const status = parseStatus(parseQuietly(bodyText));
    if (status === undefined)
      return code === 404 ? toAbsentApi(service, toUpstreamText(headers, bodyText)) : other(code, headers, bodyText);
    const error = toStatusError({ ...status, code }, { service, headers, subject });
    behind.set(error, status);
    return error;
  };
};

const parseQuietly = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

interface Circumstances {
  readonly service: string;
  readonly subject: string | undefined;
  readonly headers: ResponseHeaders;
}

const toStatusError = (status: KubeStatus, { service, subject, headers }: Circumstances): AppError => {
  const upstream = cleanText(status.message);
  const fail = (code: ErrorCode, message: string, details: Fields = {}) =>
    new AppError(code, message, { details: { service, ...details, ...(upstream === '' ? {} : { upstream }) } });
  const object = toObjectName(status, subject);
  const retryAfter = status.retryAfterSeconds === undefined ? formatRetryAfter(headers) : `${status.retryAfterSeconds}s`;
  switch (status.code) {
    case 400:
      return fail('INVALID_ARGUMENT', 'Kubernetes refused the request as wrong.');
    case 401:
      return fail('UNAUTHENTICATED', 'Kubernetes refused the login of the configured context.', { setting: 'kubernetes.kubeconfig' });
    case 403:
      return toForbidden(status, object, fail);
    case 404:
      if (status.name === undefined) return toAbsentApi(service, upstream);
      return fail('NOT_FOUND', `${object} does not exist.`, { name: cleanText(status.name), resource: status.resource });
    case 405:
      return fail('UNSUPPORTED', 'Kubernetes does not offer this operation for this kind.');
    case 409:
      return toConflict(status, object, fail);
    case 410:
      return fail('CURSOR_EXPIRED', 'Kubernetes no longer has the state that this continues: start again.');
    case 413:
      return fail('PAYLOAD_TOO_LARGE', 'Kubernetes refused the request as too large.');
    case 415:
      return fail('INTERNAL', 'Kubernetes did not understand the form of the request.');
    case 422:
      return fail('INVALID_ARGUMENT', `Kubernetes refused ${object} as invalid.`, {
        causes: status.causes.map(({ field, message }) => ({ field, message })),
      });
    case 429:
      return toLimited(status, object, retryAfter, fail);
    default:
      if (REFUSED_BY_SCHEMA.test(status.message))
        return fail('INVALID_ARGUMENT', `Kubernetes refused ${object}: it has fields that its kind does not know.`);
      if (SEVERAL_BUDGETS.test(status.message)) return toSeveralBudgets(object, fail);
      if (status.code < 500) return fail('INVALID_ARGUMENT', `Kubernetes refused the request (HTTP ${status.code}).`);
      return fail('SERVICE_UNAVAILABLE', `Kubernetes could not carry out the request (${status.reason ?? `HTTP ${status.code}`}).`, {
        retry_after: retryAfter,
      });
  }
};

/** Server-side apply answers 500 for a field that the schema does not have (1.37). */
const REFUSED_BY_SCHEMA = /^failed to create typed patch object/;
const SEVERAL_BUDGETS = /more than one PodDisruptionBudget/;
/** As often as kubectl drain asks again. */
const EVICTION_PAUSE = '5s';

const toLimited = (status: KubeStatus, object: string, retryAfter: string, fail: Fail): AppError => {
  if (!status.causes.some(({ reason }) => reason === 'DisruptionBudget'))
    return fail('RATE_LIMITED', 'Kubernetes limits the rate of requests.', { retry_after: retryAfter });
  const details = { reason: 'DISRUPTION_BUDGET', retry_after: EVICTION_PAUSE, causes: status.causes.map(({ message }) => message) };
  return fail('FAILED_PRECONDITION', `A disruption budget forbids the eviction of ${object} now.`, details);
};

const toSeveralBudgets = (object: string, fail: Fail): AppError =>
  fail('FAILED_PRECONDITION', `Several disruption budgets select ${object}: then it cannot be evicted.`, {
    reason: 'SEVERAL_DISRUPTION_BUDGETS',
  });

type Fail = (code: ErrorCode, message: string, details?: Fields) => AppError;

const toObjectName = ({ resource, group, name }: KubeStatus, subject = 'the object'): string => {
  if (name === undefined || resource === undefined) return subject;
  return `${group === undefined ? resource : `${resource}.${group}`}/${cleanText(name, 260)}`;
};

const toAbsentApi = (service: string, upstream: string): AppError =>
  new AppError('UNSUPPORTED', 'This cluster does not serve the API that was asked for.', {
    details: { service, reason: 'API_ABSENT', ...(upstream === '' ? {} : { upstream }) },
  });

/** The words of RBAC: User "u" cannot list resource "pods" in API group "" in the namespace "n". */
const RBAC_WORDS =
  /User "([^"]*)" cannot (\w+) (?:resource "([^"]*)" in API group "([^"]*)"|path "([^"]*)")(?: in the namespace "([^"]*)"| at the cluster scope)?/;

const toForbidden = (status: KubeStatus, object: string, fail: Fail): AppError => {
  const [matched, user = '', verb = '', resource, group = '', path, namespace] = RBAC_WORDS.exec(status.message) ?? [];
  if (matched === undefined) return fail('FORBIDDEN', `Kubernetes does not allow this for ${object}.`, { by: 'backend' });
  const what = resource === undefined ? `the path ${path}` : [resource, ...(group === '' ? [] : [group])].join('.');
  const where = namespace === undefined ? (resource === undefined ? '' : ' in the whole cluster') : ` in namespace ${namespace}`;
  const missing = { verb, ...(resource === undefined ? { path } : { resource, group }), ...(namespace === undefined ? {} : { namespace }) };
  return fail('FORBIDDEN', cleanText(`${user} may not ${verb} ${what}${where}.`, 600), { by: 'rbac', user: cleanText(user), missing });
};

const toConflict = (status: KubeStatus, object: string, fail: Fail): AppError => {
  if (status.reason === 'AlreadyExists') return fail('CONFLICT', `${object} exists already.`, { reason: 'ALREADY_EXISTS' });
  const conflicts = status.causes
    .filter(({ reason }) => reason === 'FieldManagerConflict')
    .map(({ field, message }) => ({ field, manager: /^conflict with "([^"]*)"/.exec(message)?.[1] ?? message }));
  if (conflicts.length === 0)
    return fail('CONFLICT', `${object} has changed meanwhile, or its state conflicts with this.`, { reason: 'CONFLICT' });
  return fail('CONFLICT', `Other managers own fields of ${object} that this would change.`, { reason: 'FIELD_MANAGER', conflicts });
};
