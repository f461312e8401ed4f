// A small server that speaks KV version 2 as Vault's API documentation states it, and fails as Vault fails.

import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppError } from '../kit/errors.ts';
import { createVault, type Vault } from './vault.ts';

const TOKEN = 'hvs.canary-token-1f2e3d';
let server: Server;
let address: string;
let seen: { url: string; headers: IncomingHttpHeaders }[] = [];
beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push({ url: request.url ?? '', headers: request.headers });
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    };
    if (request.headers['x-vault-token'] !== TOKEN) return answer(403, { errors: ['permission denied'] });
    const metadata = { created_time: '2026-01-02T03:04:05.6Z', deletion_time: '', destroyed: false, version: 3 };
    if (request.url === '/v1/kv/data/team%20a/grafana')
      return answer(200, { request_id: 'x', data: { data: { key: 'value-of-grafana', number: 7 }, metadata } });
    if (request.url === '/v1/kv/data/deleted')
      return answer(404, { data: { data: null, metadata: { ...metadata, deletion_time: '2026-02-03T04:05:06Z' } } });
    if (request.url === '/v1/kv/data/sealed') return answer(503, { errors: ['Vault is sealed'] });
    if (request.url === '/v1/kv/data/strange') return answer(200, '<html>');
    if (request.url === '/v1/kv/data/huge') return answer(200, 'x'.repeat(3_000_000));
    if (request.url === '/v1/kv/data/silent') return undefined;
    return answer(404, { errors: [] });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const open = (token = TOKEN): Vault => createVault({ address, token: async () => token, namespace: 'team-a', mount: 'kv' });
const signal = AbortSignal.timeout(30_000);

describe('vault: references', () => {
  it('read a field at its path, with token and namespace', async () => {
    const vault = open();
    seen = [];
    expect(await vault.read('team a/grafana', 'key', signal)).toBe('value-of-grafana');
    expect(seen[0]).toMatchObject({ headers: { 'x-vault-token': TOKEN, 'x-vault-request': 'true', 'x-vault-namespace': 'team-a' } });
    await vault.close();
  });

  it.each([
    ['team a/grafana', 'other', 'NOT_FOUND', /no text field other/],
    ['team a/grafana', 'number', 'NOT_FOUND', /no text field number/],
    ['team a/grafana', 'constructor', 'NOT_FOUND', /no text field constructor/],
    ['absent', 'key', 'NOT_FOUND', /no secret at absent/],
    ['deleted', 'key', 'NOT_FOUND', /newest version is deleted/],
    ['sealed', 'key', 'SERVICE_UNAVAILABLE', /answered 503/],
    ['strange', 'key', 'DATA_ERROR', /no JSON/],
    ['huge', 'key', 'DATA_ERROR', /more than a secret/],
  ])('%s#%s says what is wrong', async (path, field, code, words) => {
    const vault = open();
    const error = await vault.read(path, field, signal).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(words) });
    expect(JSON.stringify(error) + String(error)).not.toContain('canary');
    await vault.close();
  });

  it('tell a refused token, a Vault that is away, and one that is silent', async () => {
    const refused = open('hvs.wrong');
    await expect(refused.read('absent', 'key', signal)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await refused.close();
    const away = createVault({ address: 'http://127.0.0.1:9', token: async () => TOKEN, mount: 'kv' });
    await expect(away.read('absent', 'key', signal)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    await away.close();
    const silent = open();
    await expect(silent.read('silent', 'key', AbortSignal.timeout(100))).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    await silent.close();
    const unset = createVault({ token: undefined, mount: 'kv' });
    await expect(unset.read('absent', 'key', signal)).rejects.toThrow(/needs secrets\.vault\.address \(VAULT_ADDR\)/);
  });
});
