// Ctrl-C and SIGTERM: running calls finish or are cancelled within the grace time, exit code 0, nothing is left behind.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, openCluster, PROGRAM, type Running, startProgram } from '../support/program.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster();
});
afterAll(() => cluster.close());

/** Starts a wait and resolves when the server has begun it. */
const startWait = async (server: Running, timeout: string): Promise<{ client: Client; answer: Promise<unknown> }> => {
  const client = new Client({ name: 'lifecycle', version: '1.0.0' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
  await client.connect(new StreamableHTTPClientTransport(new URL('/api/kubernetes/streamable-http', server.url)));
  let begun: () => void = () => {};
  const started = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const call = client.callTool(
    { name: 'kubernetes_wait_for_resource', arguments: { kind: 'pod', name: 'never', namespace: 'shop', condition: 'exists', timeout } },
    { onprogress: () => begun() },
  );
  const answer = call.then((result) => result.structuredContent).catch((error: unknown) => error);
  await started;
  return { client, answer };
};

describe.each(['SIGINT', 'SIGTERM'] as const)('%s', (signal) => {
  it('lets a running call finish within the grace time (SEED-HTTP-06)', async () => {
    const server = await startProgram(['--kubeconfig', cluster.kubeconfig], { MCP_SHUTDOWN_GRACE: '10' });
    const { answer } = await startWait(server, '1s');
    const ended = server.stop(signal);
    expect(await answer).toMatchObject({ result: 'timeout' });
    expect(await ended).toEqual({ code: 0, signal: null });
  });

  it('cancels a call that outlives it, and ends with 0', async () => {
    const server = await startProgram(['--kubeconfig', cluster.kubeconfig], { MCP_SHUTDOWN_GRACE: '1' });
    const { answer } = await startWait(server, '5m');
    const ended = await server.stop(signal);
    expect(ended).toEqual({ code: 0, signal: null });
    expect(await answer).toBeDefined();
    expect(server.stderr()).toContain('status=cancelled');
  });
});

describe('the heap of a server over HTTP', () => {
  const wordsOf = ({ pid }: ChildProcess): string => execFileSync('ps', ['-o', 'args=', '-ww', '-p', String(pid)], { encoding: 'utf8' });

  it('is bounded in the same process, with everything that was set for it', async () => {
    const server = await startProgram(['--kubeconfig', cluster.kubeconfig]);
    expect(wordsOf(server.child)).toContain('--max-semi-space-size=16 --heap-growing-percent=75');
    expect(wordsOf(server.child)).toContain(cluster.kubeconfig);
    expect(await server.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  it('is left alone where somebody has chosen', async () => {
    const server = await startProgram(['--kubeconfig', cluster.kubeconfig], { NODE_OPTIONS: '--max-old-space-size=400' });
    expect(wordsOf(server.child)).not.toContain('--max-semi-space-size');
    expect(await server.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  });
});

describe('stdio', () => {
  it('ends with 0 when the client closes its end', async () => {
    const child = spawn(process.execPath, [PROGRAM, '--kubeconfig', cluster.kubeconfig], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '' },
    });
    const code = new Promise((resolve) => child.once('close', resolve));
    child.stdin.end();
    expect(await code).toBe(0);
  });
});
