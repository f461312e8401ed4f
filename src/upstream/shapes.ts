// Small readers for values from outside: a wrong type reads as absent, so that one odd field never breaks a whole answer.

export type Fields = Readonly<Record<string, unknown>>;

const NOTHING: Fields = {};

export const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
export const toFields = (value: unknown): Fields => (isFields(value) ? value : NOTHING);
export const toList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
/** Absent and empty text are the same thing to Kubernetes. */
export const toText = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
export const toInteger = (value: unknown): number | undefined => (Number.isInteger(value) ? Number(value) : undefined);
export const toTexts = (value: unknown): readonly string[] => toList(value).filter((one) => typeof one === 'string');
