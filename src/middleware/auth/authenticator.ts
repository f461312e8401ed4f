// What every mode of authentication is: a way to read a credential from a request, and to judge it.

import type { Caller } from '../../kit/context.ts';
import type { HttpExchange } from '../../kit/http.ts';

/** Stands in logs, audit and metrics; a bounded set of words. */
export type RefusalReason =
  | 'missing'
  | 'malformed'
  | 'ambiguous'
  | 'query'
  | 'wrong'
  | 'expired'
  | 'not-yet-valid'
  | 'issuer'
  | 'audience'
  | 'signature'
  | 'inactive'
  | 'scope'
  | 'limit';

export interface Refusal {
  readonly refused: RefusalReason;
  /** For the caller; never repeats the credential. */
  readonly message: string;
}

export type Verified = { readonly caller: Caller } | Refusal;

export interface Authenticator {
  /** The credential of a request; undefined = none of this mode. */
  read(exchange: HttpExchange): string | undefined;
  /** Judges at once where that needs no wait: static values, and what was verified a moment ago. */
  recall(credential: string, exchange: HttpExchange): Verified | undefined;
  /** Judges with work or questions to others. Throws SERVICE_UNAVAILABLE when those do not answer. */
  verify(credential: string, exchange: HttpExchange): Promise<Verified>;
  close?(): void;
}

export const ALL_SCOPES = ['read', 'write', 'destructive', 'admin'] as const;

/** `Bearer abc` -> `abc`; undefined for another scheme. */
export const readScheme = ({ request }: HttpExchange, scheme: string): string | undefined => {
  const value = request.headers.get('authorization');
  if (value === null || value.slice(0, scheme.length + 1).toLowerCase() !== `${scheme} `) return undefined;
  return value.slice(scheme.length + 1).trim();
};

export const WRONG: Refusal = { refused: 'wrong', message: 'The credential is not valid.' };
