// Innermost: nothing unredacted is stored, cut or sent. Masks known secret values and strips control characters, in answers and errors alike.

import type { Step } from '../../kit/compose.ts';
import { AppError, toAppError } from '../../kit/errors.ts';
import { hidesField, type Mask } from '../../kit/field-names.ts';
import type { Answer, ListPart } from '../../kit/result.ts';
import type { Call } from '../call.ts';

/** Deeper than any real object: what comes after this step walks by recursion, and must not run out of stack. */
const MAX_DEPTH = 200;
const MASKED = '***';
/** Names as programs write them. Others come from a backend, such as those of annotations, and may hold anything. */
const ORDINARY_KEY = /^\w{1,40}$/;

/** A value with every text in it masked. */
export const clean = (value: unknown, mask: Mask, depth = 0): unknown => {
  if (typeof value === 'string') return mask(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '…(nested deeper)';
  if (Array.isArray(value)) return value.map((item) => clean(item, mask, depth + 1));
  const { hides } = mask;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      ORDINARY_KEY.test(key) ? key : mask(key),
      hides !== undefined && hidesField(value, key, hides) ? MASKED : clean(item, mask, depth + 1),
    ]),
  );
};

/** In a table, the name of a value is that of its column. */
const cleanItems = ({ items, columns }: ListPart, mask: Mask): unknown[] => {
  const { hides } = mask;
  const hidden = new Set(hides === undefined ? [] : (columns ?? []).flatMap((column, at) => (hides(column) ? [at] : [])));
  if (hidden.size === 0) return items.map((item) => clean(item, mask));
  return items.map((item) => clean(Array.isArray(item) ? item.map((cell, at) => (hidden.has(at) ? MASKED : cell)) : item, mask));
};

/** A tool that walked into the depths of what a backend sent. */
const isTooDeep = (thrown: unknown): boolean => thrown instanceof RangeError && thrown.message.includes('call stack');

export const cleanAnswer = (answer: Answer, mask: Mask): Answer => {
  // A cursor's state is sealed, never shown, and must come back unchanged.
  const { list, content, raw, cachedMs, ...rest } = answer;
  return {
    ...(clean(rest, mask) as Answer),
    ...(cachedMs === undefined ? {} : { cachedMs }),
    ...(content === undefined ? {} : { content }),
    ...(raw === undefined ? {} : { raw }),
    ...(list === undefined ? {} : { list: { ...list, items: cleanItems(list, mask) } }),
  };
};

/** An AppError with its words and facts masked; anything else as it is. */
export const maskError = (thrown: unknown, mask: Mask): unknown =>
  thrown instanceof AppError
    ? new AppError(thrown.code, mask(thrown.message), {
        details: clean(thrown.details, mask) as Record<string, unknown>,
        cause: thrown.cause,
      })
    : thrown;

export const redact =
  (mask: Mask): Step<Call, Answer> =>
  async (call, next) => {
    try {
      return cleanAnswer(await next(call), mask);
    } catch (thrown) {
      if (isTooDeep(thrown)) throw new AppError('DATA_ERROR', 'The backend answered something nested too deeply.', { cause: thrown });
      const error = toAppError(thrown);
      // Only AppErrors carry words meant for callers; anything else keeps its text in `cause`.
      if (!(thrown instanceof AppError)) throw thrown instanceof Error && error.code !== 'INTERNAL' ? error : thrown;
      throw maskError(error, mask);
    }
  };
