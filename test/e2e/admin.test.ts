// Profiles on the admin listener: there alone, one at a time, bounded.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, openCluster, type Running, runProgram, startProgram } from '../support/program.ts';

let cluster: Cluster;
let server: Running;
let admin: string;
beforeAll(async () => {
  cluster = await openCluster();
  server = await startProgram(['--kubeconfig', cluster.kubeconfig], { MCP_ADMIN_ADDR: '127.0.0.1:0' });
  admin = /admin_url=(\S+)/.exec(server.stderr())?.[1] ?? '';
});
afterAll(async () => {
  await server.stop();
  await cluster.close();
});

describe('the admin listener', () => {
  it('gives a CPU profile, one at a time', async () => {
    const first = fetch(`${admin}/debug/cpu?seconds=1`);
    const second = await fetch(`${admin}/debug/cpu?seconds=1`);
    const answers = [await first, second].toSorted((a, b) => a.status - b.status);
    expect(answers.map(({ status }) => status)).toEqual([200, 429]);
    const profile = (await answers[0]?.json()) as { nodes: unknown[]; samples: unknown[] };
    expect(profile.nodes.length).toBeGreaterThan(0);
    expect(profile.samples.length).toBeGreaterThan(0);
  });

  it.each(['seconds=0', 'seconds=61', 'seconds=x', 'second=1'])('refuses %s', async (query) => {
    expect((await fetch(`${admin}/debug/cpu?${query}`)).status).toBe(400);
  });

  it('offers no heap snapshot unless it is switched on, and none of this on the main listener', async () => {
    expect((await fetch(`${admin}/debug/heap`)).status).toBe(404);
    expect((await fetch(`${server.url}/debug/cpu?seconds=1`)).status).toBe(404);
    expect((await fetch(`${admin}/mcp`)).status).toBe(404);
  });

  it('gives a heap snapshot where it is switched on', async () => {
    const own = await startProgram(['--kubeconfig', cluster.kubeconfig], {
      MCP_ADMIN_ADDR: '127.0.0.1:0',
      MCP_ADMIN_HEAP_SNAPSHOTS: 'true',
    });
    const answer = await fetch(`${/admin_url=(\S+)/.exec(own.stderr())?.[1]}/debug/heap`);
    expect((await answer.text()).slice(0, 12)).toBe('{"snapshot":');
    await own.stop();
  });

  it('on an address that others can reach stops the start', async () => {
    const { code, stderr } = await runProgram(['--mode', 'http', '--addr', '127.0.0.1:0'], { MCP_ADMIN_ADDR: '0.0.0.0:0' });
    expect([code, stderr]).toEqual([2, expect.stringContaining('Refusing to offer profiles on 0.0.0.0:0')]);
  });
});
