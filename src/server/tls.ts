// TLS at the door: certificates from files, taken anew when they change, without a restart and without ending a connection.

import { readFile } from 'node:fs/promises';
import type { RequestListener, ServerOptions } from 'node:http';
import type { Server } from 'node:https';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Logger } from '../kit/context.ts';
import { AppError } from '../kit/errors.ts';
import { signFile } from '../kit/sign-file.ts';

export interface TlsOptions {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCAFile?: string | undefined;
  /** Without a valid client certificate the handshake fails; else the request is judged. */
  readonly needsClientCertificate: boolean;
  readonly checkMs: number;
  readonly logger: Logger;
}

type Files = Pick<TlsOptions, 'certFile' | 'keyFile' | 'clientCAFile'>;

const refuse = (key: string, message: string, cause?: unknown): AppError =>
  new AppError('INVALID_ARGUMENT', `Configuration server.tls.${key}: ${message}`, { details: { key: `server.tls.${key}` }, cause });

const read = (key: keyof Files, path: string): Promise<string> =>
  readFile(path, 'utf8').catch((cause: unknown) => {
    throw refuse(key, `${path} cannot be read.`, cause);
  });

const load = async ({ certFile, keyFile, clientCAFile }: Files): Promise<SecureContextOptions> => {
  const [cert, key, ca] = await Promise.all([
    read('certFile', certFile),
    read('keyFile', keyFile),
    clientCAFile === undefined ? undefined : read('clientCAFile', clientCAFile),
  ]);
  const { constants } = await import('node:crypto');
  const options: SecureContextOptions = {
    cert,
    key,
    minVersion: 'TLSv1.2',
    // A resumed session would keep a certificate whose authority is gone from the file.
    ...(ca === undefined ? {} : { ca, secureOptions: constants.SSL_OP_NO_TICKET }),
  };
  try {
    createSecureContext(options);
  } catch (cause) {
    throw refuse('certFile', 'certificate and key cannot be used: they must be PEM, and belong together.', cause);
  }
  return options;
};

const sign = async (files: Files): Promise<string> => {
  const paths = [files.certFile, files.keyFile, files.clientCAFile].filter((path) => path !== undefined);
  return (await Promise.all(paths.map(signFile))).join(';');
};

/** A server that does not listen yet. Throws INVALID_ARGUMENT when the files cannot be used. */
export const openTls = async (
  { needsClientCertificate, checkMs, logger, ...files }: TlsOptions,
  limits: ServerOptions,
  onRequest: RequestListener,
): Promise<{ readonly server: Server; close(): void }> => {
  const { createServer } = await import('node:https');
  let signature = await sign(files);
  const client = files.clientCAFile === undefined ? {} : { requestCert: true, rejectUnauthorized: needsClientCertificate };
  // Who is slow here holds a connection as well as one who is slow with headers.
  const handshakeTimeout = limits.headersTimeout === undefined ? {} : { handshakeTimeout: limits.headersTimeout };
  const server = createServer({ ...limits, ...handshakeTimeout, ...(await load(files)), ...client }, onRequest);
  const look = async (): Promise<void> => {
    const next = await sign(files);
    if (next === signature) return;
    signature = next;
    try {
      server.setSecureContext(await load(files));
      logger.info({}, 'the TLS certificate was renewed');
    } catch (thrown) {
      // The two files are seldom replaced at the same instant: the next look may find them whole.
      signature = '';
      logger.warn(
        { reason: thrown instanceof Error ? thrown.message : '' },
        'the TLS files have changed and cannot be used; the old certificate stays',
      );
    }
  };
  const timer = setInterval(() => void look(), checkMs).unref();
  return { server, close: () => clearInterval(timer) };
};
