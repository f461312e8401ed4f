// What a listening address exposes: refused or told at the start, before a socket is open.

import { isLoopback, parseAddress } from './config/server.ts';
import type { Logger } from './kit/context.ts';
import { AppError } from './kit/errors.ts';
import type { TlsOptions } from './server/tls.ts';
import type { Config } from './settings.ts';
import type { KubernetesConfig } from './upstream/kubernetes/config.ts';

const refuse = (key: string, message: string): AppError => new AppError('INVALID_ARGUMENT', message, { details: { key } });

/** Throws where others than this machine could call without saying who they are. */
export const checkExposure = ({ auth, server, security, kubernetes }: Config): void => {
  const { host } = parseAddress(server.addr);
  if (!auth.enabled && (kubernetes as KubernetesConfig).identity === 'impersonate')
    throw refuse(
      'kubernetes.identity',
      'Configuration kubernetes.identity: impersonate needs auth.enabled: without it nobody knows in whose name to act.',
    );
  if (auth.enabled || isLoopback(host) || security.allowUnauthenticated) return;
  throw refuse(
    'server.addr',
    `Refusing to listen on ${server.addr} without authentication: everyone who reaches this address could use your clusters. Set auth.enabled and a credential (auth.apiKey is the simplest; make one with: cloud-native-mcp-server secrets generate), or listen on 127.0.0.1. To accept that anyone may call, set security.allowUnauthenticated.`,
  );
};

/** Credentials that cross a network in the clear are as good as published. */
export const warnOfClearText = ({ auth, server }: Config, logger: Logger): void => {
  const { host } = parseAddress(server.addr);
  if (!auth.enabled || isLoopback(host) || server.tls.certFile !== undefined || server.publicUrl?.startsWith('https:') === true) return;
  logger.warn(
    { addr: server.addr },
    'credentials are taken without TLS: set server.tls, or put a proxy with TLS in front and say so in server.publicUrl',
  );
};

/** Undefined = plain HTTP. Throws when only one of the two files is set. */
export const toTls = ({ auth, server: { tls }, secrets }: Config, logger: Logger): TlsOptions | undefined => {
  const { certFile, keyFile, clientCAFile } = tls;
  if (certFile !== undefined && keyFile !== undefined)
    return {
      certFile,
      keyFile,
      clientCAFile,
      // Mode mtls judges each request, so that /health stays open and a refusal has words.
      needsClientCertificate: !(auth.enabled && auth.mode === 'mtls'),
      checkMs: secrets.rotation.checkSec * 1000,
      logger,
    };
  if (certFile === undefined && keyFile === undefined && clientCAFile === undefined) return undefined;
  const missing = certFile === undefined ? 'certFile' : 'keyFile';
  throw refuse(`server.tls.${missing}`, `Configuration server.tls.${missing}: TLS needs both certFile and keyFile.`);
};
