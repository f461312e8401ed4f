// A good token with too few scopes: 403 with the scopes to ask for, so that an OAuth client can get a better one and call again.

import type { Effect } from '../../kit/context.ts';
import { AppError } from '../../kit/errors.ts';
import { type HttpExchange, toErrorResponse } from '../../kit/http.ts';
import { toScopeChallenge } from './challenge.ts';
import type { Authentication } from './index.ts';

const SCOPE = { read: 'read', write: 'write', delete: 'destructive' } as const satisfies Record<Effect, string>;

const toToolName = (body: unknown): string | undefined => {
  if (typeof body !== 'object' || body === null || !('method' in body) || body.method !== 'tools/call' || !('params' in body))
    return undefined;
  const { params } = body;
  return typeof params === 'object' && params !== null && 'name' in params && typeof params.name === 'string' ? params.name : undefined;
};

/** Judges a message before it is handed on. Calls of unknown tools are left to the protocol. */
export const createStepUp =
  (
    { realm, metadataUrl, onRefused }: Pick<Authentication, 'realm' | 'metadataUrl' | 'onRefused'>,
    find: (tool: string) => { readonly service: string; readonly effect: Effect } | undefined,
  ): ((exchange: HttpExchange, body: unknown) => Response | undefined) =>
  (exchange, body) => {
    const name = toToolName(body);
    const tool = name === undefined ? undefined : find(name);
    if (tool === undefined) return undefined;
    const { caller, address } = exchange;
    const needed = SCOPE[tool.effect];
    if (caller.scopes.some((scope) => scope === 'all' || scope === needed || scope === `${needed}:${tool.service}`)) return undefined;
    const message = `This call needs the scope ${needed}.`;
    onRefused?.({ address, code: 'FORBIDDEN', reason: 'scope', userId: caller.id });
    // All of them in one challenge: a client that asks for the missing one alone would lose those it has.
    const challenge = toScopeChallenge({ realm, metadataUrl: metadataUrl(exchange) }, [...caller.scopes, needed], message);
    return toErrorResponse(new AppError('FORBIDDEN', message, { details: { by: 'scope', missing: needed, tool: name } }), {
      'www-authenticate': challenge,
    });
  };
