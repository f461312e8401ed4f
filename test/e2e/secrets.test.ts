// Secrets of the configuration as operators use them: in files, in the cluster, in Vault; rotated while the server runs; made on the command line.

import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorOf, sendRpc } from '../support/http.ts';
import { type Cluster, openCluster, runProgram, startProgram } from '../support/program.ts';
import { openApp, openShop } from '../support/shop.ts';

const FIRST = 'cnm_first_Zk3v9Qp7Lw2Xr8Tn5Yb1';
const SECOND = 'cnm_second_Hd6Jf4Gs0Va3Kp8Rt5';
const PATH = '/api/platform/http';

let folder: string;
let cluster: Cluster;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keys-'));
  cluster = await openCluster();
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await cluster.close();
});

const statusOf = async (url: string, key: string): Promise<number> =>
  (await sendRpc(`${url}${PATH}`, 'tools/list', {}, { headers: { 'x-api-key': key } })).status;

/** Asks until the answer is the wanted one; the test's own limit ends a wait in vain. */
const until = async (wanted: number, ask: () => Promise<number>): Promise<void> => {
  while ((await ask()) !== wanted) await delay(50);
};

describe('an API key in a file', () => {
  it('rotates without a restart: the new one at once, the old one until its overlap ends (SEED-SECRET-02)', async () => {
    const file = join(folder, 'api-key');
    await writeFile(file, `${FIRST}\n`);
    const server = await startProgram(['--kubeconfig', cluster.kubeconfig], {
      MCP_AUTH_ENABLED: 'true',
      MCP_AUTH_API_KEY_FILE: file,
      MCP_AUTH_FAILURES_PER_MINUTE: '0',
      MCP_SECRETS_ROTATION_CHECK: '1',
      MCP_SECRETS_ROTATION_OVERLAP: '2',
    });
    expect([await statusOf(server.url, FIRST), await statusOf(server.url, SECOND)]).toEqual([200, 401]);
    await writeFile(file, SECOND);
    await until(200, () => statusOf(server.url, SECOND));
    expect(await statusOf(server.url, FIRST)).toBe(200);
    await until(401, () => statusOf(server.url, FIRST));
    expect(await statusOf(server.url, SECOND)).toBe(200);
    // A weak one is not taken, and the good one stays.
    await writeFile(file, 'weak');
    while (!server.stderr().includes('the last value stays in use')) await delay(50);
    expect([await statusOf(server.url, SECOND), await statusOf(server.url, 'weak')]).toEqual([200, 401]);
    expect(server.stderr()).toContain('secret rotated');
    for (const key of [FIRST, SECOND]) expect(server.stderr()).not.toContain(key);
    await server.stop();
  });
});

describe('references', () => {
  it('into the cluster are read with the rights of the server', async () => {
    const data = { key: Buffer.from(`${FIRST}\n`).toString('base64') };
    cluster.embedded.store.put('secrets', {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'mcp-key', namespace: 'shop', uid: 'mcp-key', creationTimestamp: '2026-01-01T00:00:00Z' },
      type: 'Opaque',
      data,
    } as never);
    const env = { MCP_AUTH_ENABLED: 'true', MCP_AUTH_FAILURES_PER_MINUTE: '0' };
    const server = await startProgram(['--kubeconfig', cluster.kubeconfig], { ...env, MCP_AUTH_API_KEY: 'kubernetes:shop/mcp-key/key' });
    expect([await statusOf(server.url, FIRST), await statusOf(server.url, SECOND)]).toEqual([200, 401]);
    await server.stop();
    const args = ['--addr', '127.0.0.1:0', '--kubeconfig', cluster.kubeconfig];
    const { code, stderr } = await runProgram(args, { ...env, MCP_AUTH_API_KEY: 'kubernetes:shop/mcp-key/other' });
    expect([code, stderr]).toEqual([2, expect.stringContaining('The Secret shop/mcp-key has no key other.')]);
  });

  it('into Vault are read over its API, and followed', async () => {
    let key = FIRST;
    const vault: Server = createServer((request, response) => {
      const isRight = request.url === '/v1/secret/data/mcp' && request.headers['x-vault-token'] === 'hvs.token-of-the-test';
      response.writeHead(isRight ? 200 : 403, { 'content-type': 'application/json' });
      response.end(JSON.stringify(isRight ? { data: { data: { key }, metadata: { version: 1 } } } : { errors: ['permission denied'] }));
    });
    await new Promise<void>((resolve) => vault.listen(0, '127.0.0.1', resolve));
    const token = join(folder, 'vault-token');
    await writeFile(token, 'hvs.token-of-the-test');
    const server = await startProgram([], {
      MCP_AUTH_ENABLED: 'true',
      MCP_AUTH_API_KEY: 'vault:mcp#key',
      MCP_AUTH_FAILURES_PER_MINUTE: '0',
      MCP_SECRETS_ROTATION_CHECK: '1',
      VAULT_ADDR: `http://127.0.0.1:${(vault.address() as AddressInfo).port}`,
      VAULT_TOKEN_FILE: token,
    });
    expect(await statusOf(server.url, FIRST)).toBe(200);
    key = SECOND;
    await until(200, () => statusOf(server.url, SECOND));
    vault.closeAllConnections();
    await new Promise((resolve) => vault.close(resolve));
    while (!server.stderr().includes('the last value stays in use')) await delay(50);
    expect(await statusOf(server.url, SECOND)).toBe(200);
    await server.stop();
  });
});

const PLUGIN = `
import { z } from '${pathToFileURL(join(process.cwd(), 'node_modules', 'zod', 'index.js')).href}';
import { defineService } from '${pathToFileURL(join(process.cwd(), 'src', 'kit', 'service.ts')).href}';
import { tool } from '${pathToFileURL(join(process.cwd(), 'src', 'kit', 'tool.ts')).href}';

export default defineService({
  name: 'board',
  title: 'Board',
  config: z.strictObject({ url: z.string(), token: z.string() }),
  tools: [
    tool({
      name: 'board_get_title', title: 'Get title', description: 'Gets the title.', effect: 'read',
      input: z.object({}), output: z.object({ title: z.string() }),
      run: async (_, { url, token }, { signal }) => {
        const reply = await fetch(url, { headers: { authorization: 'Bearer ' + (await token.current()) }, signal });
        return { head: { title: await reply.text() } };
      },
    }),
  ],
  connect: ({ url, token }, { secret }) => ({ url, token: secret('board.token', token) }),
  ping: async () => ({ state: 'up' }),
});
`;

describe('the credential of a backend', () => {
  it('rotates without a restart, and is masked in answers (SEED-SECRET-01, SEED-SECRET-02)', async () => {
    const seen: string[] = [];
    const backend = createServer((request, response) => {
      seen.push(request.headers.authorization ?? '');
      response.end(`title, told by a backend that repeats ${request.headers.authorization}`);
    });
    await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
    const [plugin, token] = [join(folder, 'board.ts'), join(folder, 'board-token')];
    await writeFile(plugin, PLUGIN);
    await writeFile(token, 'backend-token-one');
    const server = await openApp({
      plugins: [plugin],
      'board.url': `http://127.0.0.1:${(backend.address() as AddressInfo).port}`,
      'board.token': `file:${token}`,
      'secrets.rotation.checkSec': 1,
    });
    const title = async (): Promise<unknown> => (await server.call('board_get_title')).structured;
    expect(await title()).toEqual({ title: 'title, told by a backend that repeats Bearer ***' });
    await writeFile(token, 'backend-token-two');
    while (seen.at(-1) !== 'Bearer backend-token-two') {
      expect(JSON.stringify(await title())).not.toContain('backend-token');
      await delay(50);
    }
    await server.close();
    backend.closeAllConnections();
    await new Promise((resolve) => backend.close(resolve));
  });
});

describe('the command line', () => {
  it('prints a new key once with its hash, and the hash lets the key in (SEED-SECRET-03)', async () => {
    const made = await runProgram(['secrets', 'generate', '--prefix', 'team_', '--length', '32']);
    const [, key = '', hash = ''] = /^key: {2}(team_[A-Za-z0-9]{32})\nhash: (sha256:[0-9a-f]{64})\n$/.exec(made.stdout) ?? [];
    expect([made.code, hash]).toEqual([0, `sha256:${createHash('sha256').update(key).digest('hex')}`]);
    expect(made.stderr).not.toContain(key);
    expect((await runProgram(['secrets', 'generate'])).stdout).not.toBe((await runProgram(['secrets', 'generate'])).stdout);
    const config = join(folder, 'keys.yaml');
    await writeFile(config, `auth:\n  enabled: true\n  apiKeys:\n    - name: team\n      hash: ${hash}\n`);
    const server = await startProgram(['--config', config]);
    expect([await statusOf(server.url, key), await statusOf(server.url, hash)]).toEqual([200, 401]);
    await server.stop();
  });

  it('hashes a password from stdin, and the hash lets the user in', async () => {
    const { stdout, code } = await runProgram(['secrets', 'hash'], {}, 'a password to remember\n');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^\$scrypt\$ln=15,r=8,p=1\$\S+\n$/)]);
    const config = join(folder, 'users.yaml');
    await writeFile(config, `auth:\n  enabled: true\n  mode: basic\n  users:\n    - name: anna\n      hash: ${stdout}`);
    const server = await startProgram(['--config', config]);
    const authorization = `Basic ${Buffer.from('anna:a password to remember').toString('base64')}`;
    expect((await sendRpc(`${server.url}${PATH}`, 'tools/list', {}, { headers: { authorization } })).status).toBe(200);
    await server.stop();
  });

  it.each([
    [['secrets', 'generate', '--length', '4'], /length must be 16/],
    [['secrets', 'generate', '--alphabet', 'aa'], /alphabet must be/],
    [['secrets', 'forge'], /secrets generate, or secrets hash/],
    [['secrets', 'hash'], /12 to 1024/],
  ])('%s is refused in words', async (args, words) => {
    const { code, stderr, stdout } = await runProgram(args, {}, 'short\n');
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(words)]);
  });
});

describe('whose rights a cluster sees', () => {
  const auth = { 'auth.enabled': true, 'auth.apiKeys': [{ name: 'anna', key: FIRST, scopes: ['read', 'write'] }] };

  it('no credential of a caller ever reaches a backend', async () => {
    const seen: string[] = [];
    const shop = await openShop({ flags: auth });
    const { handle } = shop.embedded;
    // Everything that a backend is sent: a listener of our own before the embedded cluster.
    const backend = createServer((request, response) => {
      seen.push(request.url ?? '', ...request.rawHeaders);
      const headers = new Headers(request.headers as Record<string, string>);
      headers.set('authorization', `Bearer ${shop.embedded.token('admin')}`);
      void handle(new Request(`http://cluster${request.url}`, { headers })).then(async (answer) => {
        response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/json' });
        response.end(Buffer.from(await answer.arrayBuffer()));
      });
    });
    await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
    const kubeconfig = join(folder, 'seen');
    await writeFile(
      kubeconfig,
      JSON.stringify({
        'current-context': 'c',
        clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${(backend.address() as AddressInfo).port}` } }],
        users: [{ name: 'u', user: { token: 'token-of-the-server' } }],
        contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      }),
    );
    const server = await openShop({ flags: { ...auth, 'kubernetes.kubeconfig': kubeconfig } });
    const { url } = await server.app.openHttp({ port: 0 });
    const headers = { 'x-api-key': FIRST, 'x-user-id': 'forged', 'x-forwarded-for': '203.0.113.9', 'impersonate-user': 'system:admin' };
    const params = { name: 'kubernetes_list_resources', arguments: { kind: 'pods', namespace: 'shop' } };
    const reply = await sendRpc(`${url}/api/kubernetes/http`, 'tools/call', params, { headers });
    expect(JSON.parse(reply.body).result).not.toHaveProperty('isError');
    expect(seen).toContain('Bearer token-of-the-server');
    expect(seen.join('\n')).not.toMatch(new RegExp(`${FIRST}|forged|203\\.0\\.113\\.9|impersonate`, 'i'));
    await server.close();
    await shop.close();
    backend.closeAllConnections();
    await new Promise((resolve) => backend.close(resolve));
  });

  it('with impersonation a call runs in the name of its caller, and fails where that one has no rights', async () => {
    const shop = await openShop({ flags: { ...auth, 'kubernetes.identity': 'impersonate' } });
    const { url } = await shop.app.openHttp({ port: 0 });
    const params = { name: 'kubernetes_list_resources', arguments: { kind: 'pods', namespace: 'shop' } };
    const call = async (): Promise<object> =>
      JSON.parse((await sendRpc(`${url}/api/kubernetes/http`, 'tools/call', params, { headers: { 'x-api-key': FIRST } })).body).result;
    expect(await call()).toMatchObject({ isError: true, structuredContent: { error: { code: 'FORBIDDEN' } } });
    expect(shop.embedded.requests.some(({ user }) => user === 'key:anna')).toBe(true);
    const before = shop.embedded.requests.length;
    shop.embedded.store.put('rolebindings.rbac.authorization.k8s.io', {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'anna', namespace: 'shop', uid: 'anna', creationTimestamp: '2026-01-01T00:00:00Z' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'key:anna' }],
    } as never);
    expect(await call()).not.toHaveProperty('isError');
    // Whatever was asked for this call was asked in her name.
    expect(new Set(shop.embedded.requests.slice(before).map(({ user }) => user))).toEqual(new Set(['key:anna']));
    // The person who started the process has the rights of the server.
    expect((await shop.call('kubernetes_list_resources', { kind: 'pods', namespace: 'shop' })).structured).toBeDefined();
    await shop.close();
  });
});

describe('refusals', () => {
  it('are logged with address and reason, and without the credential', async () => {
    const shop = await openShop({ flags: { 'auth.enabled': true, 'auth.apiKey': FIRST } });
    const { url } = await shop.app.openHttp({ port: 0 });
    const reply = await sendRpc(`${url}${PATH}`, 'tools/list', {}, { headers: { 'x-api-key': 'canary-wrong-key-1' }, from: '127.0.0.5' });
    expect([reply.status, errorOf(reply).code]).toEqual([401, 'UNAUTHENTICATED']);
    const line = shop.log.find((text) => text.includes('request refused')) ?? '{}';
    expect(JSON.parse(line)).toMatchObject({ address: '127.0.0.5', code: 'UNAUTHENTICATED', reason: 'wrong' });
    expect(shop.log.join('\n')).not.toContain('canary');
    await shop.close();
  });
});
