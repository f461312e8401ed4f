// Asking the user: a question becomes an input request; the call runs again with the answer, which counts once and for this call only.

import { randomUUID } from 'node:crypto';
import { type InputRequiredResult, inputRequired } from '@modelcontextprotocol/server';
import type { Question, QuestionAnswer } from '../kit/context.ts';
import { AppError } from '../kit/errors.ts';
import { type Sealer, toBinding } from '../kit/seal.ts';
import type { RequestContext } from './server.ts';

const STATE_LIFE_MS = 5 * 60_000;
const MAX_USED = 10_000;

interface AskState {
  readonly key: string;
  readonly nonce: string;
  readonly call: string;
}

/** Thrown through the steps of a call when the answer must come from the user first. */
export class InputNeeded extends Error {
  readonly result: InputRequiredResult;
  constructor(result: InputRequiredResult) {
    super('input needed');
    this.name = 'InputNeeded';
    this.result = result;
  }
}

export interface Confirmations {
  /** For `ServerOptions.requestState.verify`: throws on anything altered, foreign or late. */
  verify(state: string, c: RequestContext): unknown;
  /** Seals a state of a handler's own (fixtures of the protocol suite). */
  mint(value: unknown, c: RequestContext): string;
  /** The `ask` of one call. `canAsk` is what the client declared. */
  asker(
    c: RequestContext,
    canAsk: boolean,
    call: { tool: string; args: unknown; caller: string },
  ): (question: Question) => Promise<QuestionAnswer>;
}

const toScope = (c: RequestContext): string => toBinding(c.mcpReq.method, c.http?.authInfo?.clientId ?? '');

const toAnswer = (response: unknown): QuestionAnswer | undefined => {
  if (typeof response !== 'object' || response === null || !('action' in response)) return undefined;
  if (response.action !== 'accept') return 'declined';
  const content = 'content' in response ? response.content : undefined;
  return typeof content === 'object' && content !== null && 'confirm' in content && content.confirm === true ? 'accepted' : 'declined';
};

/** @param now milliseconds since the epoch */
export const createConfirmations = (sealer: Sealer, now: () => number): Confirmations => {
  /** Nonces that were answered, in order of expiry; the oldest leave first. */
  const used = new Map<string, number>();
  const isFresh = (nonce: string): boolean => {
    for (const [key, expires] of used) {
      if (expires >= now() && used.size < MAX_USED) break;
      used.delete(key);
    }
    if (used.has(nonce)) return false;
    used.set(nonce, now() + STATE_LIFE_MS);
    return true;
  };
  const mint: Confirmations['mint'] = (value, c) => sealer.seal('request-state', toScope(c), value, now() + STATE_LIFE_MS);
  return {
    mint,
    verify(state, c) {
      const opened = sealer.open('request-state', toScope(c), state, now());
      if ('refused' in opened) throw new AppError('INVALID_ARGUMENT', `This request state is ${opened.refused}.`);
      return opened.value;
    },
    asker: (c, canAsk, call) => async (question) => {
      if (!canAsk) return 'unavailable';
      const binding = toBinding(call.tool, call.args, call.caller);
      const state = c.mcpReq.requestState<AskState | undefined>();
      const response = c.mcpReq.inputResponses?.['confirm'];
      if (state !== undefined && response !== undefined && state.key === question.key && state.call === binding) {
        const answer = toAnswer(response);
        if (answer !== undefined) return isFresh(state.nonce) ? answer : 'declined';
      }
      throw new InputNeeded(
        inputRequired({
          inputRequests: {
            confirm: inputRequired.elicit({
              message: question.message,
              requestedSchema: { type: 'object', properties: { confirm: { type: 'boolean', title: 'Go ahead?' } }, required: ['confirm'] },
            }),
          },
          requestState: mint({ key: question.key, nonce: randomUUID(), call: binding } satisfies AskState, c),
        }),
      );
    },
  };
};
