// TLS at the door, judged by openssl and curl: right, wrong, expired and absent client certificates; files that change while the server runs.

import { execFile } from 'node:child_process';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Certificates, makeCertificates, type Pair } from '../support/certificates.ts';
import { errorOf, send, sendRpc } from '../support/http.ts';
import { type Cluster, openCluster, type Running, startProgram } from '../support/program.ts';

const run = promisify(execFile);
let made: Certificates;
let cluster: Cluster;
let ca: Pair;
let clientCa: Pair;
let serverPair: Pair;
beforeAll(async () => {
  cluster = await openCluster();
  made = makeCertificates();
  [ca, clientCa] = [made.authority('server-ca'), made.authority('client-ca')];
  serverPair = made.issue('server', ca, { subject: '/CN=localhost', server: true });
});
afterAll(async () => {
  made.close();
  await cluster.close();
});

const start = (env: Readonly<Record<string, string>>): Promise<Running> =>
  startProgram(['--kubeconfig', cluster.kubeconfig], {
    MCP_TLS_CERT_FILE: serverPair.certFile,
    MCP_TLS_KEY_FILE: serverPair.keyFile,
    ...env,
  });

/** Serial number of the certificate that the server shows. */
const serialOf = (url: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), ca: ca.cert }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.once('error', reject);
  });

const curl = async (url: string, ...args: string[]): Promise<{ code: number; out: string }> =>
  run('curl', ['--silent', '--max-time', '10', '--cacert', ca.certFile, '--write-out', ' %{http_code}', ...args, url]).then(
    ({ stdout }) => ({ code: 0, out: stdout }),
    ({ code, stdout }: { code: number; stdout: string }) => ({ code, out: stdout }),
  );

describe('TLS', () => {
  it('serves https with HSTS, and nothing below TLS 1.2', async () => {
    const server = await start({});
    expect(server.url).toMatch(/^https:/);
    const reply = await send(`${server.url}/health`, { tls: { ca: ca.cert } });
    expect([reply.status, reply.headers['strict-transport-security']]).toEqual([200, 'max-age=31536000']);
    expect((await curl(`${server.url}/health`)).out).toBe('{"status":"healthy"} 200');
    // 35 and 56: the handshake was refused.
    expect([35, 56]).toContain((await curl(`${server.url}/health`, '--tls-max', '1.1', '--ciphers', 'DEFAULT:@SECLEVEL=0')).code);
    expect((await curl(`${server.url}/health`, '--tls-max', '1.2')).out).toBe('{"status":"healthy"} 200');
    await server.stop();
  });

  it('takes a renewed certificate without a restart, and keeps the old one while the files do not fit together', async () => {
    const [certFile, keyFile] = [join(made.folder, 'live.crt'), join(made.folder, 'live.key')];
    await copyFile(serverPair.certFile, certFile);
    await copyFile(serverPair.keyFile, keyFile);
    const server = await start({ MCP_TLS_CERT_FILE: certFile, MCP_TLS_KEY_FILE: keyFile, MCP_SECRETS_ROTATION_CHECK: '1' });
    const before = await serialOf(server.url);
    const renewed = made.issue('renewed', ca, { subject: '/CN=localhost', server: true });
    await copyFile(renewed.certFile, certFile);
    while (!server.stderr().includes('the old certificate stays')) await delay(50);
    expect(await serialOf(server.url)).toBe(before);
    await copyFile(renewed.keyFile, keyFile);
    while ((await serialOf(server.url)) === before) await delay(50);
    await server.stop();
  });
});

describe('client certificates, mode mtls (SEED-CONF-03)', () => {
  it('tells right, wrong, expired and absent ones apart, and leaves health open', async () => {
    const config = join(made.folder, 'mtls.yaml');
    const { writeFile } = await import('node:fs/promises');
    await writeFile(config, 'auth:\n  mtls:\n    subjects:\n      - "CN=alice,O=sre"\n      - subject: CN=bob\n        scopes: [write]\n');
    const server = await start({
      MCP_AUTH_ENABLED: '1',
      MCP_AUTH_MODE: 'mtls',
      MCP_TLS_CLIENT_CA_FILE: clientCa.certFile,
      MCP_CONFIG: config,
    });
    const issue = (name: string, subject: string, by = clientCa, expired = false): Pair => made.issue(name, by, { subject, expired });
    const call = async (pair: Pair | undefined, headers = {}) => {
      const tls = { ca: ca.cert, ...(pair === undefined ? {} : { cert: pair.cert, key: pair.key }) };
      const params = { name: 'kubernetes_list_resources', arguments: { kind: 'namespaces' } };
      return sendRpc(`${server.url}/api/kubernetes/http`, 'tools/call', params, { tls, headers });
    };
    const alice = issue('alice', '/O=sre/CN=alice');
    const right = await call(alice);
    expect([right.status, JSON.parse(right.body).result.isError]).toEqual([200, undefined]);
    const bob = await call(issue('bob', '/CN=bob/OU=ops'));
    expect(JSON.parse(bob.body).result.structuredContent.error).toMatchObject({ code: 'FORBIDDEN', details: { missing: 'read' } });
    const refused: Readonly<Record<string, [Pair | undefined, RegExp]>> = {
      'the right name in another organisation': [issue('mallory', '/O=other/CN=alice'), /not among auth\.mtls\.subjects/],
      'the right name by another authority': [issue('forged', '/O=sre/CN=alice', ca), /not signed by an authority/],
      expired: [issue('old', '/O=sre/CN=alice', clientCa, true), /has expired/],
      absent: [undefined, /Connect with a client certificate/],
    };
    for (const [name, [pair, words]] of Object.entries(refused)) {
      const reply = await call(pair);
      expect([name, reply.status, errorOf(reply).message]).toEqual([name, 401, expect.stringMatching(words)]);
      expect(reply.headers['www-authenticate']).toMatch(/^ClientCertificate /);
    }
    expect((await call(alice, { 'x-api-key': 'cnm_something_else_1' })).status).toBe(400);
    expect((await send(`${server.url}/health`, { tls: { ca: ca.cert } })).status).toBe(200);
    const byCurl = await curl(`${server.url}/health/detailed`, '--cert', alice.certFile, '--key', alice.keyFile, '--output', '/dev/null');
    expect(byCurl.out.trim()).toBe('200');
    await server.stop();
  });

  it('with another mode, a certificate is needed beside the credential: none opens no connection', async () => {
    const key = 'cnm_Zk3v9Qp7Lw2Xr8Tn5Yb1Hd6Jf4';
    const server = await start({ MCP_AUTH_ENABLED: '1', MCP_AUTH_API_KEY: key, MCP_TLS_CLIENT_CA_FILE: clientCa.certFile });
    const pair = made.issue('gateway', clientCa, { subject: '/CN=gateway' });
    const tls = { ca: ca.cert, cert: pair.cert, key: pair.key };
    const path = `${server.url}/api/kubernetes/http`;
    expect((await sendRpc(path, 'tools/list', {}, { tls, headers: { 'x-api-key': key } })).status).toBe(200);
    expect((await sendRpc(path, 'tools/list', {}, { tls })).status).toBe(401);
    await expect(send(`${server.url}/health`, { tls: { ca: ca.cert } })).rejects.toThrow(/certificate required|reset|alert/i);
    await server.stop();
  });
});
