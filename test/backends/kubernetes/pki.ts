/** Keys, certificates, tokens and kubeconfigs of a cluster of the test bed: one authority for everything. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { mustRun } from '../command.ts';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface Pki {
  readonly folder: string;
  readonly authority: Certificate;
  readonly tokensFile: string;
  readonly tokens: { readonly admin: string; readonly viewer: string; readonly nobody: string };
  readonly serviceAccount: { readonly publicKey: string; readonly privateKey: string };
}

interface CertificateOptions {
  readonly subject: string;
  readonly usage: 'serverAuth' | 'clientAuth' | 'serverAuth,clientAuth';
  readonly names?: readonly string[];
}

/** The group that is given the role `view`. */
export const VIEWERS = 'testbed:viewers';

const DAYS = '3650';

/** Makes the authority, the tokens and the key pair of service accounts. */
export async function createPki(folder: string): Promise<Pki> {
  const authority = { cert: join(folder, 'ca.crt'), key: join(folder, 'ca.key') };
  writeKey(authority.key);
  const extensions = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign,digitalSignature'];
  await mustRun('openssl', [
    'req',
    '-x509',
    '-new',
    '-key',
    authority.key,
    '-days',
    DAYS,
    '-subj',
    '/CN=testbed-ca',
    ...extensions,
    '-out',
    authority.cert,
  ]);
  const tokens = { admin: newToken(), viewer: newToken(), nobody: newToken() };
  const tokensFile = join(folder, 'tokens.csv');
  const rows = [
    `${tokens.admin},testbed-admin-token,u1,"system:masters"`,
    `${tokens.viewer},testbed-viewer,u2,"${VIEWERS}"`,
    `${tokens.nobody},testbed-nobody,u3`,
  ];
  writeFileSync(tokensFile, `${rows.join('\n')}\n`, { mode: 0o600 });
  return { folder, authority, tokensFile, tokens, serviceAccount: writeServiceAccountKeys(folder) };
}

/** Makes a key and a certificate signed by the authority. */
export async function createCertificate(pki: Pki, name: string, options: CertificateOptions): Promise<Certificate> {
  const certificate = { cert: join(pki.folder, `${name}.crt`), key: join(pki.folder, `${name}.key`) };
  writeKey(certificate.key);
  const extensions = ['basicConstraints=CA:FALSE', 'keyUsage=digitalSignature', `extendedKeyUsage=${options.usage}`];
  if (options.names !== undefined) extensions.push(`subjectAltName=${options.names.join(',')}`);
  const config = join(pki.folder, `${name}.cnf`); // Without a configuration of its own, openssl adds extensions for authorities.
  writeFileSync(
    config,
    `[req]\ndistinguished_name=subject\nx509_extensions=extensions\n[subject]\n[extensions]\n${extensions.join('\n')}\n`,
  );
  const signing = ['-CA', pki.authority.cert, '-CAkey', pki.authority.key, '-days', DAYS];
  await mustRun('openssl', [
    'req',
    '-x509',
    '-new',
    '-config',
    config,
    '-key',
    certificate.key,
    '-subj',
    options.subject,
    ...signing,
    '-out',
    certificate.cert,
  ]);
  return certificate;
}

/** Writes a kubeconfig for a user known by certificate or by token; everything is inside the file. */
export function writeKubeconfig(
  file: string,
  options: { server: string; pki: Pki; user: string; credential: Certificate | string },
): string {
  const { server, pki, user, credential } = options;
  const base64 = (path: string) => readFileSync(path).toString('base64');
  const login =
    typeof credential === 'string'
      ? { token: credential }
      : { 'client-certificate-data': base64(credential.cert), 'client-key-data': base64(credential.key) };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'testbed',
    clusters: [{ name: 'testbed', cluster: { server, 'certificate-authority-data': base64(pki.authority.cert) } }],
    users: [{ name: user, user: login }],
    contexts: [{ name: 'testbed', context: { cluster: 'testbed', user, namespace: 'default' } }],
  };
  writeFileSync(file, stringify(config, { lineWidth: 0 }), { mode: 0o600 });
  return file;
}

function writeKey(file: string): void {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(file, privateKey.export({ type: 'sec1', format: 'pem' }), { mode: 0o600 });
}

function writeServiceAccountKeys(folder: string): Pki['serviceAccount'] {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const files = { publicKey: join(folder, 'sa.pub'), privateKey: join(folder, 'sa.key') };
  writeFileSync(files.publicKey, publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(files.privateKey, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return files;
}

function newToken(): string {
  return randomBytes(16).toString('hex');
}
