// Failures as the API server answers them: `Status` objects with its own reasons, messages and details (apimachinery, pkg/api/errors).
import type { JsonObject } from './json.ts';

export interface StatusCause {
  readonly reason?: string;
  readonly message: string;
  readonly field?: string;
}

export interface StatusDetails {
  readonly name?: string | undefined;
  readonly group?: string | undefined;
  readonly kind?: string | undefined;
  readonly uid?: string | undefined;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

interface StatusErrorOptions {
  readonly details?: StatusDetails;
  /** `metadata` of the Status: only an expired list answers one, with a fresh `continue` token. */
  readonly metadata?: JsonObject;
}

/** A refusal that is answered as a Status object with this HTTP code. */
export class StatusError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;
  readonly metadata: JsonObject;

  constructor(code: number, reason: string, message: string, { details, metadata = {} }: StatusErrorOptions = {}) {
    super(message);
    this.name = 'StatusError';
    this.code = code;
    this.reason = reason;
    this.details = details;
    this.metadata = metadata;
  }

  /** The Status object, its fields in the order of the real one. */
  toStatus(): JsonObject {
    const details = this.details === undefined ? {} : { details: toDetails(this.details) };
    const reason = this.reason === '' ? {} : { reason: this.reason };
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.metadata,
      status: 'Failure',
      message: this.message,
      ...reason,
      ...details,
      code: this.code,
    };
  }
}

const toDetails = ({ name, group, kind, uid, causes, retryAfterSeconds }: StatusDetails): JsonObject => ({
  ...(name ? { name } : {}),
  ...(group ? { group } : {}),
  ...(kind ? { kind } : {}),
  ...(uid ? { uid } : {}),
  ...(causes === undefined ? {} : { causes: causes.map((cause) => ({ ...cause })) }),
  ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
});

/** What the errors name: the plural of the resource and its group ('' = core). */
export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

export const toQualified = ({ group, resource }: GroupResource): string => (group === '' ? resource : `${resource}.${group}`);

const detailsOf = ({ group, resource }: GroupResource, name: string): StatusDetails => ({ name, group, kind: resource });

export const badRequest = (message: string): StatusError => new StatusError(400, 'BadRequest', message);

/** 403 of an admission plugin. */
export const refusedByAdmission = (resource: GroupResource, name: string, why: string): StatusError =>
  new StatusError(403, 'Forbidden', `${toQualified(resource)} "${name}" is forbidden: ${why}`, { details: detailsOf(resource, name) });

export const unauthorized = (): StatusError => new StatusError(401, 'Unauthorized', 'Unauthorized');

export const notFound = (resource: GroupResource, name: string): StatusError =>
  new StatusError(404, 'NotFound', `${toQualified(resource)} "${name}" not found`, { details: detailsOf(resource, name) });

/** No such path below a group and version that are served. */
export const notServed = (): StatusError =>
  new StatusError(404, 'NotFound', 'the server could not find the requested resource', { details: {} });

export const methodNotAllowed = (): StatusError =>
  new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', { details: {} });

export const notAcceptable = (accepted: readonly string[]): StatusError =>
  new StatusError(406, 'NotAcceptable', `only the following media types are accepted: ${accepted.join(', ')}`);

export const unsupportedMediaType = (accepted: readonly string[]): StatusError =>
  new StatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );

export const alreadyExists = (resource: GroupResource, name: string): StatusError =>
  new StatusError(409, 'AlreadyExists', `${toQualified(resource)} "${name}" already exists`, { details: detailsOf(resource, name) });

export const conflict = (resource: GroupResource, name: string, why: string): StatusError =>
  new StatusError(409, 'Conflict', `Operation cannot be fulfilled on ${toQualified(resource)} "${name}": ${why}`, {
    details: detailsOf(resource, name),
  });

/** A list or watch from a revision that is no longer kept; a list may carry on, inconsistently, from `continueToken`. */
export const expired = (message: string, continueToken?: string): StatusError =>
  new StatusError(410, 'Expired', message, continueToken === undefined ? {} : { metadata: { continue: continueToken } });

export interface FieldError {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

/** 422: the object is not valid; every cause names its field. */
export const invalid = (group: string, kind: string, name: string, errors: readonly FieldError[]): StatusError => {
  const texts = errors.map(({ field, message }) => `${field}: ${message}`);
  const summary = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  const qualified = group === '' ? kind : `${kind}.${group}`;
  return new StatusError(422, 'Invalid', `${qualified} "${name}" is invalid: ${summary}`, {
    details: { name, group, kind, causes: errors.map(({ reason, message, field }) => ({ reason, message, field })) },
  });
};
