// Mode mtls: the subject of a client certificate that the TLS layer has verified against server.tls.clientCAFile.

import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { Caller } from '../../kit/context.ts';
import { AppError } from '../../kit/errors.ts';
import type { HttpExchange } from '../../kit/http.ts';
import type { Authenticator, Verified } from './authenticator.ts';
import type { AuthConfig } from './config.ts';

type Attributes = readonly (readonly [string, string])[];

/** Standard short names (RFC 4514) as Node writes them. */
const parseSubject = (text: string): Attributes => {
  const parts = text.split(/\s*(?<!\\),\s*/).map((part) => /^([A-Za-z]{1,20})=(.+)$/.exec(part.trim()));
  return parts.map((part) => {
    if (part === null)
      throw new AppError('INVALID_ARGUMENT', 'Configuration auth.mtls.subjects: a subject has the form CN=alice,O=sre.', {
        details: { key: 'auth.mtls.subjects' },
      });
    return [part[1] ?? '', (part[2] ?? '').replaceAll('\\,', ',')] as const;
  });
};

const toAttributes = ({ subject }: PeerCertificate): Attributes =>
  Object.entries(subject as unknown as Readonly<Record<string, string | readonly string[]>>).flatMap(([name, value]) =>
    [value].flat().map((one) => [name, one] as const),
  );

const toText = (attributes: Attributes): string => attributes.map(([name, value]) => `${name}=${value}`).join(',');

const toSocket = ({ node }: HttpExchange): TLSSocket | undefined => {
  const socket = node?.incoming.socket as TLSSocket | undefined;
  return socket?.encrypted === true ? socket : undefined;
};

const toWords = (error: unknown): Verified =>
  String(error).includes('CERT_HAS_EXPIRED')
    ? { refused: 'expired', message: 'The client certificate has expired.' }
    : { refused: 'wrong', message: 'The client certificate is not signed by an authority that this server trusts.' };

/** Every attribute of a configured subject must stand in the certificate, the certificate may have more. */
export const createMtlsAuthenticator = ({ mtls: { subjects } }: AuthConfig, now: () => number): Authenticator => {
  const known = subjects.map(({ subject, scopes }) => ({ wanted: parseSubject(subject), scopes }));
  const toCaller = (certificate: PeerCertificate): Caller | undefined => {
    const has = toAttributes(certificate);
    const found = known.find(({ wanted }) => wanted.every(([name, value]) => has.some(([a, b]) => a === name && b === value)));
    if (found === undefined) return undefined;
    return {
      id: `cert:${toText(has).slice(0, 256)}`,
      groups: has.filter(([name]) => name === 'O').map(([, value]) => value),
      scopes: found.scopes,
    };
  };
  // A connection keeps its certificate: it is read once.
  const callers = new WeakMap<TLSSocket, { readonly verified: Verified; readonly until: number }>();
  const judge = (socket: TLSSocket): { verified: Verified; until: number } => {
    const certificate = socket.getPeerCertificate();
    if (!socket.authorized) return { verified: toWords(socket.authorizationError), until: Number.MAX_SAFE_INTEGER };
    const caller = toCaller(certificate);
    const verified: Verified =
      caller === undefined
        ? { refused: 'wrong', message: 'The subject of the client certificate is not among auth.mtls.subjects.' }
        : { caller };
    return { verified, until: Date.parse(certificate.valid_to) };
  };
  const recall: Authenticator['recall'] = (_, exchange) => {
    const socket = toSocket(exchange);
    if (socket === undefined) return { refused: 'missing', message: 'A client certificate is needed.' };
    const found = callers.get(socket) ?? judge(socket);
    callers.set(socket, found);
    return found.until > now() ? found.verified : { refused: 'expired', message: 'The client certificate has expired.' };
  };
  return {
    read(exchange) {
      const socket = toSocket(exchange);
      if (socket === undefined) return undefined;
      return callers.has(socket) || Object.keys(socket.getPeerCertificate()).length > 0 ? 'certificate' : undefined;
    },
    recall,
    verify: async (credential, exchange) => recall(credential, exchange) ?? { refused: 'wrong', message: '' },
  };
};
