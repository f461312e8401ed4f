// Bounds on the shape of a request body: how deep, and how many values in all.

import { AppError } from '../kit/errors.ts';

export interface JsonBounds {
  readonly maxJsonDepth: number;
  readonly maxJsonElements: number;
}

const tooMany = (limit: number): AppError =>
  new AppError('PAYLOAD_TOO_LARGE', `The request body holds more than ${limit} values.`, {
    details: { limit, setting: 'limits.maxJsonElements' },
  });

const tooDeep = (limit: number): AppError =>
  new AppError('PAYLOAD_TOO_LARGE', `The request body is nested deeper than ${limit} levels.`, {
    details: { limit, setting: 'limits.maxJsonDepth' },
  });

/** Level by level, without recursion. @throws AppError PAYLOAD_TOO_LARGE */
export const checkJsonBounds = (body: unknown, { maxJsonDepth, maxJsonElements }: JsonBounds): void => {
  let left = maxJsonElements;
  let level: readonly object[] = isNode(body) ? [body] : [];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth >= maxJsonDepth) throw tooDeep(maxJsonDepth);
    const below: object[] = [];
    for (const node of level) {
      const values: readonly unknown[] = Object.values(node);
      left -= values.length;
      if (left < 0) throw tooMany(maxJsonElements);
      for (const value of values) if (isNode(value)) below.push(value);
    }
    level = below;
  }
};

const isNode = (value: unknown): value is object => typeof value === 'object' && value !== null;
