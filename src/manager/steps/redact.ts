// Innermost: nothing unredacted is stored, cut or sent. Masks known secret values and strips control characters, in answers and errors alike.

import type { Step } from '../../kit/compose.ts';
import { AppError, toAppError } from '../../kit/errors.ts';
import type { Answer } from '../../kit/result.ts';
import type { Call } from '../call.ts';

type Mask = (text: string) => string;

const clean = (value: unknown, mask: Mask): unknown => {
  if (typeof value === 'string') return mask(value);
  if (Array.isArray(value)) return value.map((item) => clean(item, mask));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, clean(item, mask)]));
};

export const cleanAnswer = (answer: Answer, mask: Mask): Answer => {
  // A cursor's state is sealed, never shown, and must come back unchanged.
  const { list, content, raw, cachedMs, ...rest } = answer;
  return {
    ...(clean(rest, mask) as Answer),
    ...(cachedMs === undefined ? {} : { cachedMs }),
    ...(content === undefined ? {} : { content }),
    ...(raw === undefined ? {} : { raw }),
    ...(list === undefined ? {} : { list: { ...list, items: list.items.map((item) => clean(item, mask)) } }),
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
      const error = toAppError(thrown);
      // Only AppErrors carry words meant for callers; anything else keeps its text in `cause`.
      if (!(thrown instanceof AppError)) throw thrown instanceof Error && error.code !== 'INTERNAL' ? error : thrown;
      throw maskError(error, mask);
    }
  };
