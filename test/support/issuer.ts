// For tests: a real OpenID provider on loopback that issues tokens for resources, rotates its keys, and can be taken down.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import Provider from 'oidc-provider';

export interface TestIssuer {
  readonly url: string;
  /** Paths that were asked, oldest first. */
  readonly asked: string[];
  /** An access token by the client credentials grant, signed unless it is opaque. */
  token(options: { resource: string; scope?: string }): Promise<string>;
  /** A token of our own making, signed with the issuer's newest key unless told otherwise. */
  forge(payload: JWTPayload, options?: { kid?: string; key?: CryptoKey; alg?: string; expires?: string | null }): Promise<string>;
  /** A new key takes the place of the old one. */
  rotate(): Promise<void>;
  /** The public key, as anyone can read it. */
  publicKey(): JWK;
  jwks(): { keys: JWK[] };
  /** Stops answering, and answers again on the same port. */
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

export const CLIENT = { id: 'agent', secret: 'agent-secret-2Vw8Kp5Rt9Xz3Lm7' };
export const OPAQUE = 'urn:opaque';

interface Key {
  readonly kid: string;
  readonly secret: CryptoKey;
  readonly jwk: JWK;
  readonly publicJwk: JWK;
}

const makeKey = async (number: number): Promise<Key> => {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const kid = `key-${number}`;
  const more = { kid, alg: 'RS256', use: 'sig' };
  return {
    kid,
    secret: privateKey,
    jwk: { ...(await exportJWK(privateKey)), ...more },
    publicJwk: { ...(await exportJWK(publicKey)), ...more },
  };
};

const toProvider = (url: string, key: Key): Provider =>
  new Provider(url, {
    jwks: { keys: [key.jwk as never] },
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        scope: 'read write destructive admin',
      },
    ],
    scopes: ['read', 'write', 'destructive', 'admin'],
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({
          scope: 'read write destructive admin',
          audience: resource,
          accessTokenTTL: 600,
          accessTokenFormat: resource === OPAQUE ? 'opaque' : 'jwt',
        }),
      },
    },
  });

export const openIssuer = async (): Promise<TestIssuer> => {
  let key = await makeKey(1);
  let count = 1;
  let handle: ReturnType<Provider['callback']> | undefined;
  const asked: string[] = [];
  const start = (port: number): Promise<Server> =>
    new Promise((resolve) => {
      const server = createServer((request, response) => {
        asked.push(request.url ?? '');
        void handle?.(request, response);
      });
      server.listen(port, '127.0.0.1', () => resolve(server));
    });
  const stop = (server: Server): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  let server = await start(0);
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  handle = toProvider(url, key).callback();
  const issuer: TestIssuer = {
    url,
    asked,
    async token({ resource, scope = 'read' }) {
      const reply = await fetch(`${url}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', resource, scope }),
      });
      const { access_token: token } = (await reply.json()) as { access_token?: string };
      if (token === undefined) throw new Error(`the issuer answered ${reply.status}`);
      return token;
    },
    forge: (payload, { kid = key.kid, key: signer = key.secret, alg = 'RS256', expires = '10m' } = {}) => {
      const token = new SignJWT({ iss: url, sub: 'forged', ...payload }).setProtectedHeader({ alg, kid }).setIssuedAt();
      return (payload.exp === undefined && expires !== null ? token.setExpirationTime(expires) : token).sign(signer);
    },
    async rotate() {
      count += 1;
      key = await makeKey(count);
      handle = toProvider(url, key).callback();
    },
    publicKey: () => key.publicJwk,
    jwks: () => ({ keys: [key.publicJwk] }),
    down: () => stop(server),
    async up() {
      server = await start(port);
    },
    close: () => stop(server),
  };
  return issuer;
};
