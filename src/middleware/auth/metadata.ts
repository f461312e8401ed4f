// What an OAuth client must know of this resource server: RFC 9728, and the issuer's own document for clients that look for it here.

import { AppError } from '../../kit/errors.ts';
import { type HttpExchange, toErrorResponse } from '../../kit/http.ts';
import { ALL_SCOPES } from './authenticator.ts';
import type { BuiltAuthentication } from './create.ts';

export interface MetadataOptions {
  readonly authentication: Pick<BuiltAuthentication, 'issuer' | 'issuerUrl'>;
  readonly baseUrl: (exchange: HttpExchange) => string;
  readonly title: string;
}

type Handle = (exchange: HttpExchange) => Promise<Response>;

const HEADERS = { 'cache-control': 'public, max-age=300' };

export const createMetadata = ({
  authentication: { issuer, issuerUrl },
  baseUrl,
  title,
}: MetadataOptions): { readonly resource: (path: string) => Handle; readonly authorizationServer: Handle } => ({
  resource: (path) => async (exchange) => {
    const named = issuerUrl ?? String((await issuer?.metadata())?.['issuer'] ?? '');
    return Response.json(
      {
        resource: `${baseUrl(exchange)}${path}`,
        authorization_servers: [named],
        scopes_supported: ALL_SCOPES,
        bearer_methods_supported: ['header'],
        resource_name: title,
      },
      { headers: HEADERS },
    );
  },
  async authorizationServer() {
    const metadata = await issuer?.metadata();
    if (metadata === undefined)
      return toErrorResponse(new AppError('NOT_FOUND', 'The issuer publishes no document: its keys come from a file.'));
    return Response.json(metadata, { headers: HEADERS });
  },
});
