// Configuration of authentication: one mode, and what each mode compares with.

import { z } from 'zod';
import { described, secret, section } from '../../kit/config.ts';

const SCOPE = /^(?:read|write|destructive|admin)(?::[a-z][a-z0-9-]*)?$/;
const scopes = z.array(z.string().regex(SCOPE, 'must be read, write, destructive or admin, each optionally with :service'));
const list = z.array(z.string().min(1)).default([]);
const principal = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/, 'must be a name of letters, digits and ._@-');
const expires = z.iso.datetime({ offset: true }).or(z.iso.date()).describe('RFC 3339');

const apiKey = z
  .strictObject({
    name: principal,
    key: z.string().min(1).optional().meta({ secret: true }),
    hash: z
      .string()
      .regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hexadecimal digits')
      .optional(),
    scopes: scopes.default(['read']),
    services: list,
    namespaces: list,
    expires: expires.optional(),
  })
  .refine(({ key, hash }) => (key === undefined) !== (hash === undefined), 'needs either key or hash');

const user = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(128)
    .regex(/^[^:\p{Cc}]+$/u, 'must have no colon'),
  hash: z.string().min(1),
  scopes: scopes.default(['read']),
});

const subject = z.union([
  z
    .string()
    .min(1)
    .transform((text) => ({ subject: text, scopes: ['read', 'write', 'destructive', 'admin'] })),
  z.strictObject({ subject: z.string().min(1), scopes: scopes.default(['read']) }),
]);

const url = (env: string, description: string) => described(z.url({ protocol: /^https?$/ }).optional(), env, description);

export const authConfig = section({
  enabled: described(
    z.boolean().default(false),
    'MCP_AUTH_ENABLED',
    'Callers over HTTP must prove who they are; needed on addresses that others reach.',
  ),
  mode: described(z.enum(['apikey', 'bearer', 'basic', 'mtls']).default('apikey'), 'MCP_AUTH_MODE', 'How callers prove who they are.'),
  failuresPerMinute: described(
    z.int().min(0).max(10_000).default(10),
    'MCP_AUTH_FAILURES_PER_MINUTE',
    'Wrong credentials per address, then 429; 0 = no limit.',
  ),
  apiKey: secret('MCP_AUTH_API_KEY', 'Mode apikey: one key (X-Api-Key) with all scopes.'),
  apiKeys: z
    .array(apiKey)
    .default([])
    .meta({ description: 'Mode apikey: several keys: name, key or hash, scopes (read), services, namespaces, expires.' }),
  bearerToken: secret('MCP_AUTH_BEARER_TOKEN', 'Mode bearer: one static token with all scopes.'),
  jwtSecret: secret('MCP_AUTH_JWT_SECRET', 'Mode bearer: shared key of signed tokens (JWT).'),
  jwtAlgorithm: described(
    z.enum(['HS256', 'HS384', 'HS512']).default('HS256'),
    'MCP_AUTH_JWT_ALGORITHM',
    'The one algorithm of tokens with the shared key.',
  ),
  oidcIssuerUrl: url('MCP_AUTH_OIDC_ISSUER_URL', 'Mode bearer: issuer of tokens; base of its discovery document.'),
  oidcDiscoveryUrl: url('MCP_AUTH_OIDC_DISCOVERY_URL', 'Discovery document, where it is not under the issuer.'),
  oidcIssuer: described(z.string().min(1).optional(), 'MCP_AUTH_OIDC_ISSUER', 'Expected `iss`; else that of the discovery document.'),
  oidcAudience: described(z.string().min(1).optional(), 'MCP_AUTH_OIDC_AUDIENCE', 'Expected `aud`, always checked; else server.publicUrl.'),
  oidcClientId: described(z.string().min(1).optional(), 'MCP_AUTH_OIDC_CLIENT_ID', 'Accepted as audience when none is set.'),
  oidcHttpTimeoutSec: described(z.int().min(1).max(60).default(5), 'MCP_AUTH_OIDC_HTTP_TIMEOUT', 'One request to the issuer, seconds.'),
  oidcJwksCacheTtlSec: described(
    z.int().min(0).max(86_400).default(600),
    'MCP_AUTH_OIDC_JWKS_CACHE_TTL',
    'Age at which the keys of the issuer are read again, seconds.',
  ),
  jwksFile: described(z.string().min(1).optional(), 'MCP_AUTH_JWKS_FILE', 'Keys of the issuer from a file, re-read when it changes.'),
  introspection: section({
    url: url('MCP_AUTH_INTROSPECTION_URL', 'Mode bearer: where opaque tokens are asked about (RFC 7662).'),
    clientId: described(z.string().min(1).optional(), 'MCP_AUTH_INTROSPECTION_CLIENT_ID', 'Client of this server at that endpoint.'),
    clientSecret: secret('MCP_AUTH_INTROSPECTION_CLIENT_SECRET', 'Its secret.'),
  }),
  username: described(z.string().min(1).optional(), 'MCP_AUTH_USERNAME', 'Mode basic: one user with all scopes.'),
  password: secret('MCP_AUTH_PASSWORD', 'Mode basic: the password of that user.'),
  users: z.array(user).default([]).meta({ description: 'Mode basic: several users: name, hash (scrypt), scopes (read).' }),
  mtls: section({
    subjects: z.array(subject).default([]).meta({
      description: 'Mode mtls: subjects of client certificates, such as CN=alice,O=sre; as text with all scopes, or { subject, scopes }.',
    }),
  }),
});

export type AuthConfig = z.infer<typeof authConfig>;
export type AuthMode = AuthConfig['mode'];
