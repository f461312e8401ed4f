// Answers packed for clients that ask for it, through the front door (SEED-COMP-01, SEED-COMP-02, SEED-RES-03).

import { request } from 'node:http';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, openCluster, type Running, runProgram, startProgram } from '../support/program.ts';

let cluster: Cluster;
let server: Running;
const start = (env: Readonly<Record<string, string>> = {}): Promise<Running> =>
  startProgram(['--kubeconfig', cluster.kubeconfig], { MCP_RATELIMIT_ENABLED: 'false', ...env });
beforeAll(async () => {
  cluster = await openCluster();
  server = await start();
});
afterAll(async () => {
  await server.stop();
  await cluster.close();
});

interface Packed {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bytes: Buffer;
}

interface Asking {
  readonly path?: string;
  readonly accept?: string;
  readonly method?: string;
  readonly params?: object;
  readonly verb?: 'POST' | 'GET' | 'HEAD';
  readonly url?: string;
}

/** The answer as it comes over the wire, still packed. */
const ask = ({
  path = '/api/aggregate/http',
  accept,
  method = 'tools/list',
  params = {},
  verb = 'POST',
  url = server.url,
}: Asking): Promise<Packed> =>
  new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(accept === undefined ? {} : { 'accept-encoding': accept }),
    };
    const sent = request(new URL(path, url), { method: verb, headers, agent: false }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on('data', (chunk: Buffer) => chunks.push(chunk));
      reply.on('end', () => resolve({ status: reply.statusCode ?? 0, headers: reply.headers, bytes: Buffer.concat(chunks) }));
    });
    sent.once('error', reject);
    sent.end(verb === 'POST' ? JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) : undefined);
  });

const UNPACK = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync } as const;

describe('compression', () => {
  it.each([
    ['gzip', 'gzip'],
    ['gzip, deflate, br', 'br'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['br;q=0.1, gzip;q=0.9', 'gzip'],
  ] as const)('%s is answered with %s, which holds the same as the plain answer', async (accept, coding) => {
    const [plain, packed] = [await ask({}), await ask({ accept })];
    expect([packed.status, packed.headers['content-encoding'], packed.headers['vary']]).toEqual([200, coding, 'Accept-Encoding']);
    expect(packed.headers['content-type']).toMatch(/^application\/json/);
    expect(Number(packed.headers['content-length'] ?? packed.bytes.length)).toBe(packed.bytes.length);
    expect(UNPACK[coding](packed.bytes).toString()).toBe(plain.bytes.toString());
    expect(packed.bytes.length).toBeLessThan(plain.bytes.length / 3);
  });

  it.each([undefined, 'identity', 'deflate', '*;q=0', 'gzip;q=0', ',;;q=,', 'x'.repeat(8000)])(
    'an Accept-Encoding of %j is answered plainly',
    async (accept) => {
      const reply = await ask(accept === undefined ? {} : { accept });
      expect([reply.status, reply.headers['content-encoding']]).toEqual([200, undefined]);
      expect(JSON.parse(reply.bytes.toString()).result.tools.length).toBeGreaterThan(5);
    },
  );

  it('leaves alone what is small', async () => {
    const reply = await ask({ accept: 'gzip', method: 'ping' });
    expect([reply.headers['content-encoding'], JSON.parse(reply.bytes.toString()).result]).toEqual([undefined, {}]);
    expect(reply.bytes.length).toBeLessThan(1024);
  });

  it('never packs an event stream', async () => {
    const params = { name: 'kubernetes_list_resources', arguments: { kind: 'pods' }, _meta: { progressToken: 1 } };
    const reply = await ask({ path: '/api/aggregate/streamable-http', accept: 'gzip, br, zstd', method: 'tools/call', params });
    expect([reply.headers['content-type'], reply.headers['content-encoding']]).toEqual(['text/event-stream', undefined]);
    expect(reply.bytes.toString()).toMatch(/^event: message\ndata: \{/m);
    expect(reply.headers['cache-control']).toContain('no-transform');
  });

  it('packs other answers too, and sends no body for HEAD', async () => {
    const metrics = await ask({ path: '/metrics', verb: 'GET', accept: 'gzip' });
    expect(metrics.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(metrics.bytes).toString()).toContain('# TYPE mcp_requests_total counter');
    expect((await ask({ path: '/metrics', verb: 'HEAD', accept: 'gzip' })).bytes.length).toBe(0);
  });

  it('is as strong as its level says', async () => {
    const sizes: number[] = [];
    for (const level of ['1', '9']) {
      const own = await start({ MCP_COMPRESSION_LEVEL: level });
      sizes.push((await ask({ accept: 'gzip', url: own.url })).bytes.length);
      await own.stop();
    }
    expect(sizes[1]).toBeLessThan(Number(sizes[0]));
  });

  it.each(['0', '10', '6.5', 'much'])('a level of %s stops the start', async (level) => {
    const { code, stderr } = await runProgram(['--mode', 'http', '--addr', '127.0.0.1:0'], { MCP_COMPRESSION_LEVEL: level });
    expect([code, stderr]).toEqual([2, expect.stringContaining('performance.compression_level')]);
  });

  it('is off when it is switched off', async () => {
    const own = await start({ MCP_COMPRESSION_ENABLED: 'false' });
    const reply = await ask({ accept: 'gzip, br, zstd', url: own.url });
    expect([reply.status, reply.headers['content-encoding'], reply.headers['vary']]).toEqual([200, undefined, undefined]);
    await own.stop();
  });

  it('of a request is refused, not taken for text', async () => {
    const { status, headers } = await fetch(`${server.url}/api/aggregate/http`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      body: new Uint8Array([31, 139, 8, 0]),
    });
    expect([status, headers.get('content-type')]).toEqual([400, expect.stringContaining('application/json')]);
  });
});
