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

  it('changes the level of one service, and of no other (logging.services)', async () => {
    await list();
    expect(server.stderr()).not.toContain(' DEBUG ');
    await put(`${START.replace('info', 'info, services: { kubernetes: debug }')}`);
    await logged(/configuration changed key=logging\.services .*kubernetes.*debug/);
    await list();
    const line = await logged(/ DEBUG .*/);
    expect(line).toMatch(/service(_name)?=kubernetes/);
    await put(START);
    await logged(/configuration changed key=logging\.services .*debug.*after=\S*\n/);
    const before = server.stderr().split(' DEBUG ').length;
    await list();
    expect(server.stderr().split(' DEBUG ').length).toBe(before);
  });

  it('changes the deadline of calls (timeouts.callSec, timeouts.maxCallSec)', async () => {
    const wait = (timeout: string) =>
      call('kubernetes_wait_for_resource', { kind: 'pod', name: 'never', namespace: 'shop', condition: 'exists', timeout });
    const over = (await wait('1s')).body;
    expect(over).not.toContain('timeouts.maxCallSec');
    await put(`${START}timeouts: { callSec: 1, maxCallSec: 1 }\n`);
    await logged(/configuration changed key=timeouts\.callSec before=60 after=1/);
    await logged(/configuration changed key=timeouts\.maxCallSec before=600 after=1/);
    // An hour was asked for; a second is what there is.
    expect((await wait('1h')).status).toBe(200);
  });

  it('changes how many calls of one caller run at once (limits.concurrentCalls)', async () => {
    const storm = async (): Promise<number> => {
      const bodies = await Promise.all(Array.from({ length: 60 }, list));
      return bodies.filter(({ body }) => body.includes('limits.concurrentCalls')).length;
    };
    expect(await storm()).toBe(0);
    await put(`${START}limits: { concurrentCalls: 1 }\nratelimit: { enabled: true, requests_per_second: 1000, burst: 1000 }\n`);
    await logged(/configuration changed key=limits\.concurrentCalls before=32 after=1/);
    expect(await storm()).toBeGreaterThan(0);
  });

  it('changes the size of answers (output.maxTokens, output.maxTokensCeiling)', async () => {
    const size = async (args: object = {}): Promise<number> =>
      (await call('kubernetes_list_resources', { kind: 'pods', limit: 50, ...args })).body.length;
    const [usual, asked] = [await size(), await size({ maxTokens: 20_000 })];
    await put(`${START}output: { maxTokens: 300, maxTokensCeiling: 300 }\n`);
    await logged(/configuration changed key=output\.maxTokens before=4000 after=300/);
    await logged(/configuration changed key=output\.maxTokensCeiling before=20000 after=300/);
    expect(await size()).toBeLessThan(usual * 0.7);
    expect(await size({ maxTokens: 20_000 })).toBeLessThan(asked * 0.7);
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
