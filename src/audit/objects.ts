// What a change did to its objects, as it may be recorded: masked first, cut afterwards, so that no part of a secret is left at a cut.

import { hidesField, type Mask } from '../kit/field-names.ts';
import type { AuditObject } from './record.ts';

const MAX_VALUE = 300;
const MASKED = '***';

type FieldChange = NonNullable<AuditObject['changes']>[number];

/** Long values are cut: what was written in full stands in the object. */
const toShort = (text: string): unknown => {
  const value: unknown = JSON.parse(text);
  const shown = typeof value === 'string' ? value : text;
  return shown.length <= MAX_VALUE ? value : `${shown.slice(0, MAX_VALUE)}…(+${shown.length - MAX_VALUE} chars)`;
};

export interface ObjectMasking {
  /** Any value as JSON text, its strings masked. */
  readonly toJson: (value: unknown) => string;
  readonly mask: Mask;
}

export const maskObjects = (objects: readonly AuditObject[], { toJson, mask }: ObjectMasking): AuditObject[] => {
  const { hides } = mask;
  const toSide = (change: FieldChange, name: 'before' | 'after') => {
    if (change[name] === undefined) return {};
    const isHidden = hides !== undefined && hidesField(change, name, hides);
    return { [name]: isHidden ? MASKED : toShort(toJson(change[name])) };
  };
  return objects.map(({ ref, changes, ...object }) => ({
    ref: mask(ref),
    ...object,
    ...(changes === undefined
      ? {}
      : { changes: changes.map((change) => ({ path: mask(change.path), ...toSide(change, 'before'), ...toSide(change, 'after') })) }),
  }));
};
