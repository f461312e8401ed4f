// One backend hangs, refuses, or answers what is no answer: the other services and the start never notice.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AppError } from '../../src/kit/errors.ts';
import { NOTES } from '../support/audit.ts';
import { resetNotes } from '../support/notes-service.ts';
import { openApp } from '../support/shop.ts';

const FAULTS: readonly (readonly [name: string, listener: RequestListener | undefined])[] = [
  ['hangs', () => {}],
  ['refuses connections', undefined],
  ['answers garbage', (_, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{"kind": <html>')],
  ['breaks off', (_, response) => void response.destroy()],
];

describe.each(FAULTS)('a backend that %s', (_, listener) => {
  it('fails its own calls alone: the others are answered meanwhile, and the start did not wait (SEED-FAULT-01)', async () => {
    resetNotes();
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    if (listener === undefined) await new Promise((resolve) => server.close(resolve));
    const folder = await mkdtemp(join(tmpdir(), 'isolation-'));
    const kubeconfig = join(folder, 'kubeconfig');
    const named = (kind: string, more: object) => ({ name: 'sick', [kind]: more });
    await writeFile(
      kubeconfig,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'sick',
        clusters: [named('cluster', { server: `http://127.0.0.1:${port}` })],
        users: [named('user', {})],
        contexts: [named('context', { cluster: 'sick', user: 'sick' })],
      }),
    );
    const { call, close } = await openApp({
      'kubernetes.kubeconfig': kubeconfig,
      'kubernetes.timeoutSec': 3,
      'kubernetes.retries': 0,
      plugins: [NOTES],
    });
    const sick = call('kubernetes_list_resources', { kind: 'pods' }).then(
      () => 'answered',
      ({ code }: AppError) => code,
    );
    const ends: string[] = [];
    void sick.then((code) => ends.push(code));
    for (let count = 0; count < 20; count++)
      expect((await call('notes_get_text', { id: 'first' })).structured).toMatchObject({ text: 'hello' });
    // Twenty answers came while the sick one was still waited for.
    if (listener !== undefined && listener.length === 0) expect(ends).toEqual([]);
    expect(['SERVICE_UNAVAILABLE', 'DEADLINE_EXCEEDED', 'DATA_ERROR']).toContain(await sick);
    const { structured } = await call('platform_status');
    expect(JSON.stringify(structured)).toMatch(/"service":"notes","state":"up"/);
    expect(JSON.stringify(structured)).toMatch(/"service":"kubernetes","state":"(down|degraded)"/);
    await close();
    server.closeAllConnections();
    if (listener !== undefined) await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  });
});
