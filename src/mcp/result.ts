// Value or error out: the one door where tool answers and failures become protocol results.

import type { CallToolResult } from '@modelcontextprotocol/server';
import { AppError, ERROR_CODES, toAppError, toWireError } from '../kit/errors.ts';
import type { FinalAnswer } from '../kit/result.ts';

/** Error text beyond this is cut by clients anyway. */
const MAX_ERROR_CHARS = 8000;

/** A finished answer: structured content, and a text block with the same facts. */
export const toCallResult = (answer: FinalAnswer): CallToolResult => {
  if (answer.raw !== undefined) return answer.raw as CallToolResult;
  return {
    content: [{ type: 'text', text: answer.text }, ...((answer.content ?? []) as CallToolResult['content'])],
    structuredContent: answer.structured,
  } as CallToolResult;
};

const describeDetail = ([key, value]: [string, unknown]): string => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`;

/** A failure in words that help: the sentence, the facts, the advice. */
export const toErrorText = (error: AppError): string => {
  const facts = Object.entries(error.details).map(describeDetail).join('; ');
  return [`${error.code}: ${error.message}`, facts, ERROR_CODES[error.code].advice]
    .filter((part) => part !== '')
    .join('\n')
    .slice(0, MAX_ERROR_CHARS);
};

/** A failed call is a result, not a protocol error. */
export const toErrorResult = (thrown: unknown, traceId?: string): CallToolResult => {
  const error = toAppError(thrown);
  const told =
    error.code === 'INTERNAL' && traceId !== undefined
      ? new AppError('INTERNAL', error.message, { details: { ...error.details, traceId } })
      : error;
  return { isError: true, content: [{ type: 'text', text: toErrorText(told) }], structuredContent: toWireError(told) };
};
