// `metadata.managedFields` for objects that are told rather than written: the story's own.

import { stripped } from './fields/managers.ts';
import type { FieldSet } from './fields/set.ts';
import { builtInType, DEDUCED, emptyObject } from './fields/types.ts';
import { compare, fieldsOf } from './fields/walk.ts';
import { isObject, type JsonObject, textAt } from './json.ts';
import type { ManagedFields } from './object.ts';

export { sortedManagers } from './fields/managers.ts';

export interface FieldsOwner {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly time: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly subresource?: string;
}

/** The fields that appear in `written`, an object or a part such as `{ status }`: as applied, or as written onto an empty object. */
const ownedBy = (written: JsonObject, { operation, apiVersion, kind }: FieldsOwner): FieldSet => {
  const type = builtInType(apiVersion, kind);
  if (operation === 'Apply') return fieldsOf(written, type ?? DEDUCED);
  const { added, modified } = compare(type === undefined ? {} : emptyObject(apiVersion, kind), written, type ?? DEDUCED);
  return added.union(modified);
};

/** One entry for what a manager wrote. */
export const toManagedFields = (written: JsonObject, owner: FieldsOwner): ManagedFields => {
  const { manager, operation, time, apiVersion, subresource } = owner;
  return {
    manager,
    operation,
    apiVersion,
    time,
    fieldsType: 'FieldsV1',
    fieldsV1: stripped(ownedBy(written, owner)).toFields(),
    ...(subresource === undefined ? {} : { subresource }),
  };
};

/** The newest time at which any manager wrote, '' when none is known. */
export const lastWritten = (object: JsonObject): string => {
  const metadata = object['metadata'];
  const entries = isObject(metadata) && Array.isArray(metadata['managedFields']) ? metadata['managedFields'] : [];
  const times = entries.map((entry) => textAt(entry, 'time'));
  return [...times, textAt(metadata, 'creationTimestamp')].sort().at(-1) ?? '';
};
