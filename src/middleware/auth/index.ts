// Who calls? Counts failures per address, reads one credential, judges it, and lets the verified caller on.

import type { Step } from '../../kit/compose.ts';
import type { Caller } from '../../kit/context.ts';
import { AppError, toAppError } from '../../kit/errors.ts';
import { type HttpExchange, toErrorResponse } from '../../kit/http.ts';
import type { Authenticator, Refusal, RefusalReason, Verified } from './authenticator.ts';
import { toChallenge, toScopeChallenge } from './challenge.ts';
import type { AuthMode } from './config.ts';
import type { Failures } from './failures.ts';

export interface RefusedRequest {
  readonly address: string;
  readonly code: 'UNAUTHENTICATED' | 'FORBIDDEN' | 'RATE_LIMITED' | 'INVALID_ARGUMENT';
  readonly reason: RefusalReason;
  /** Known where a verified caller lacks a scope. */
  readonly userId?: string;
}

export interface Authentication {
  readonly mode: AuthMode;
  readonly realm: string;
  readonly authenticator: Authenticator;
  readonly failures: Failures;
  /** Address of the resource metadata for the path of a request; undefined = no issuer is configured. */
  readonly metadataUrl: (exchange: HttpExchange) => string | undefined;
  /** Told of every refusal: for audit and metrics. */
  readonly onRefused?: ((request: RefusedRequest) => void) | undefined;
}

const SECRET_PARAMETERS = ['api_key', 'apikey', 'access_token', 'token'];
const HOW: Readonly<Record<AuthMode, string>> = {
  apikey: 'Send the key in the header X-Api-Key.',
  bearer: 'Send the token in the header Authorization: Bearer.',
  basic: 'Send user and password in the header Authorization: Basic.',
  mtls: 'Connect with a client certificate.',
};

const isDoubled = ({ node }: HttpExchange, name: string): boolean => {
  const raw = node?.incoming.rawHeaders ?? [];
  let count = 0;
  for (let index = 0; index < raw.length; index += 2) {
    const header = raw[index] ?? '';
    if (header.length === name.length && header.toLowerCase() === name) count += 1;
  }
  return count > 1;
};

/** What a request may not do, whatever its credential is worth. */
const findMisuse = (exchange: HttpExchange, mode: AuthMode): { reason: RefusalReason; message: string } | undefined => {
  const { request, url } = exchange;
  const parameter = url.search === '' ? undefined : SECRET_PARAMETERS.find((name) => url.searchParams.has(name));
  if (parameter !== undefined)
    return {
      reason: 'query',
      message: `Credentials are not taken from the address: the parameter ${parameter} would stand in logs and histories. ${HOW[mode]} If this one was real, replace it.`,
    };
  if (isDoubled(exchange, 'authorization') || isDoubled(exchange, 'x-api-key'))
    return { reason: 'ambiguous', message: 'The credential header stands there twice: send it once.' };
  const given = Number(request.headers.has('authorization')) + Number(request.headers.has('x-api-key')) + Number(mode === 'mtls');
  return given > 1 ? { reason: 'ambiguous', message: `Two credentials were sent: send one. ${HOW[mode]}` } : undefined;
};

const isRefusal = (verified: Verified): verified is Refusal => 'refused' in verified;
export const hasScope = ({ scopes }: Caller, wanted: string): boolean => scopes.includes(wanted) || scopes.includes('all');

/** @param needs a scope that every request must have: `admin` on the routes of operators */
export const auth =
  ({ mode, realm, authenticator, failures, metadataUrl, onRefused }: Authentication, needs?: 'admin'): Step<HttpExchange, Response> =>
  async (exchange, next) => {
    const { address } = exchange;
    const refuse = (error: AppError, reason: RefusalReason, headers: Readonly<Record<string, string>> = {}, userId?: string): Response => {
      onRefused?.({ address, code: error.code as RefusedRequest['code'], reason, ...(userId === undefined ? {} : { userId }) });
      return toErrorResponse(error, { 'cache-control': 'no-store', ...headers });
    };
    const unauthenticated = ({ refused, message }: Refusal): Response =>
      refuse(new AppError('UNAUTHENTICATED', message, { details: { by: `auth.mode ${mode}` } }), refused, {
        'www-authenticate': toChallenge({ mode, realm, metadataUrl: metadataUrl(exchange) }, refused, message),
      });

    const misuse = findMisuse(exchange, mode);
    if (misuse !== undefined) return refuse(new AppError('INVALID_ARGUMENT', misuse.message), misuse.reason);
    const credential = authenticator.read(exchange);
    if (credential === undefined) return unauthenticated({ refused: 'missing', message: `Authentication is needed. ${HOW[mode]}` });

    let verified: Verified;
    try {
      failures.check(address);
      const known = authenticator.recall(credential, exchange);
      if (known !== undefined && isRefusal(known)) failures.count(address);
      verified = known ?? (await failures.guard(address, isRefusal, () => authenticator.verify(credential, exchange)));
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code === 'RATE_LIMITED') return refuse(error, 'limit');
      throw thrown;
    }
    if (isRefusal(verified)) return unauthenticated(verified);
    const { caller } = verified;
    exchange.known.principal = caller.id;
    if (needs !== undefined && !hasScope(caller, needs)) {
      const message = `This caller lacks the scope ${needs}.`;
      const headers =
        mode === 'bearer'
          ? { 'www-authenticate': toScopeChallenge({ realm, metadataUrl: metadataUrl(exchange) }, [...caller.scopes, needs], message) }
          : {};
      return refuse(new AppError('FORBIDDEN', message, { details: { by: 'scope', missing: needs } }), 'scope', headers, caller.id);
    }
    const response = await next({ ...exchange, caller: { ...caller, address } });
    if (!response.headers.has('cache-control')) response.headers.set('cache-control', 'no-store');
    return response;
  };
