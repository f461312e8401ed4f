// For tests: authorities and certificates by openssl, an outsider to our code.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Pair {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

export interface Certificates {
  readonly folder: string;
  /** A self-signed authority. */
  authority(name: string): Pair;
  /** Signed by an authority; expired when `days` is negative. */
  issue(name: string, by: Pair, options: { subject: string; server?: boolean; expired?: boolean }): Pair;
  close(): void;
}

export const makeCertificates = (): Certificates => {
  const folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const toPair = (name: string): Pair => {
    const [certFile, keyFile] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
    return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  return {
    folder,
    authority(name) {
      openssl('req', '-x509', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.crt`, '-days', '2', '-subj', `/CN=${name}`);
      return toPair(name);
    },
    issue(name, by, { subject, server = false, expired = false }) {
      openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', subject);
      const use = server ? 'extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1' : 'extendedKeyUsage=clientAuth';
      writeFileSync(join(folder, `${name}.ext`), use);
      if (expired) {
        // `x509` takes dates since OpenSSL 3.4 only; `ca` always did.
        writeFileSync(join(folder, 'index.txt'), '');
        writeFileSync(join(folder, 'serial'), '01\n');
        const settings = 'database=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n';
        writeFileSync(join(folder, 'ca.cnf'), `[ca]\ndefault_ca=d\n[d]\n${settings}[p]\ncommonName=supplied\norganizationName=optional\n`);
        const files = [
          '-in',
          `${name}.csr`,
          '-out',
          `${name}.crt`,
          '-cert',
          by.certFile,
          '-keyfile',
          by.keyFile,
          '-extfile',
          `${name}.ext`,
        ];
        openssl('ca', '-batch', '-notext', '-config', 'ca.cnf', ...files, '-startdate', '20200101000000Z', '-enddate', '20200102000000Z');
      } else {
        const signer = ['-CA', by.certFile, '-CAkey', by.keyFile, '-CAcreateserial', '-extfile', `${name}.ext`];
        openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.crt`, ...signer, '-days', '2');
      }
      return toPair(name);
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
};
