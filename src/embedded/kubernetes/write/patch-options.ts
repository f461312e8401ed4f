// What a PATCH may ask for in its query (apimachinery, pkg/apis/meta/v1/validation).
import { checkFieldValidation } from '../body.ts';
import type { ResourceContext } from '../context.ts';
import { invalid } from '../status.ts';
import { isDryRun } from './commit.ts';

const LONGEST_MANAGER = 128;

const fault = (field: string, reason: string, message: string): Error =>
  invalid('meta.k8s.io', 'PatchOptions', '', [{ reason, message, field }]);

/** 422 for an option that is wrong, or that this kind of patch does not take. */
export const checkPatchOptions = ({ info }: ResourceContext, mediaType: string): void => {
  const manager = info.query.get('fieldManager') ?? '';
  if (mediaType === 'application/apply-patch+yaml') {
    if (manager === '') throw fault('fieldManager', 'FieldValueRequired', 'Required value: is required for apply patch');
  } else if (info.query.has('force')) throw fault('force', 'FieldValueForbidden', 'Forbidden: may not be specified for non-apply patch');
  checkManager(manager);
  checkFieldValidation(info);
  isDryRun(info.query.getAll('dryRun'), 'PatchOptions');
};

const checkManager = (manager: string): void => {
  if (Buffer.byteLength(manager) > LONGEST_MANAGER)
    throw fault('fieldManager', 'FieldValueTooLong', `Too long: may not be more than ${LONGEST_MANAGER} bytes`);
  const position = [...manager].findIndex((character) => !/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(character));
  if (position === -1) return;
  const code = (manager.codePointAt(position) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  const why = `invalid character U+${code} (at position ${position})`;
  throw fault('fieldManager', 'FieldValueInvalid', `Invalid value: ${JSON.stringify(manager)}: ${why}`);
};
