// The configuration file changes while the server runs: what can change does, the rest is named, a wrong file changes nothing.

import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Cluster, openCluster, type Running, startProgram } from '../support/program.ts';

let cluster: Cluster;
let folder: string;
let file: string;
let server: Running;

/** Written beside and moved into place, as editors and mounted volumes do. */
const put = async (text: string): Promise<void> => {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
};

const logged = (pattern: RegExp): Promise<string> =>
  new Promise((resolve) => {
    const look = (): void => {
      const found = pattern.exec(server.stderr())?.[0];
      if (found === undefined) return;
      server.child.stderr?.off('data', look);
      resolve(found);
    };
    server.child.stderr?.on('data', look);
    look();
  });

const call = async (tool: string, args: object): Promise<{ status: number; body: string }> => {
  const response = await fetch(`${server.url}/api/aggregate/http`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool, arguments: args } }),
  });
  return { status: response.status, body: await response.text() };
};
const list = () => call('kubernetes_list_resources', { kind: 'pods', namespace: 'shop', view: 'names' });

const START = 'logging: { level: info }\ncache: { enabled: false }\n';

beforeEach(async () => {
  cluster = await openCluster();
  folder = await mkdtemp(join(tmpdir(), 'reload-'));
  file = join(folder, 'config.yaml');
  await writeFile(file, START);
  server = await startProgram(['--config', file, '--kubeconfig', cluster.kubeconfig]);
});
afterEach(async () => {
  await server.stop();
  await cluster.close();
  await rm(folder, { recursive: true, force: true });
});

describe('a changed configuration file', () => {
  it('changes limits, levels and policy at once, and says from what to what (SEED-CONF-05)', async () => {
    expect((await list()).status).toBe(200);
    await put(`${START}security: { policy: { rules: [{ name: no-pods, action: deny, kind: pods }] } }\n`);
    await logged(/configuration changed.*key=security\.policy\.rules.*/);
    expect((await list()).body).toContain('FORBIDDEN');

    await put(`${START.replace('info', 'debug')}output: { maxTokens: 200 }\n`);
    await logged(/configuration changed key=logging\.level before=info after=debug/);
    const short = (await list()).body;
    expect(short).not.toContain('FORBIDDEN');
    await logged(/ DEBUG /);

    await put(`${START}ratelimit: { requests_per_second: 0.001, burst: 1 }\n`);
    await logged(/configuration changed.*key=ratelimit\.burst.*/);
    const statuses = [(await list()).status, (await list()).status, (await list()).status];
    expect(statuses).toContain(429);
  });

  it('names the keys that need a restart, and shows no secret', async () => {
    await put(`${START}auth: { apiKey: SECRET-0123456789abcdef }\nserver: { maxBodyBytes: 2048 }\n`);
    await logged(/needs a restart.*key=server\.maxBodyBytes.*/);
    await logged(/needs a restart.*key=auth\.apiKey.*\*\*\*/);
    expect(server.stderr()).not.toContain('SECRET-');
  });

  it('changes nothing when it is wrong, and says why; the next right one counts', async () => {
    await put('logging: { level: loud }\noutput: { maxTokens: 200 }\n');
    await logged(/the configuration is not valid.*logging\.level: must be one of/);
    await put('server: {');
    await logged(/is no valid YAML/);
    await put(`${START}security: { policy: { bindings: [{ role: nobody, principal: x }] } }\ntimeouts: { callSec: 5 }\n`);
    await logged(/there is no role nobody/);
    expect(server.stderr()).not.toContain('key=timeouts.callSec');
    expect((await list()).status).toBe(200);
    await put(`${START}timeouts: { callSec: 5 }\n`);
    await logged(/configuration changed.*key=timeouts\.callSec/);
  });

  it('is read again on SIGHUP', async () => {
    server.child.kill('SIGHUP');
    await logged(/the configuration has not changed/);
    expect((await list()).status).toBe(200);
  });
});
