// The command line as people use it: help, tools, calls, doctor, demo.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, openCluster, runProgram } from '../support/program.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster();
});
afterAll(() => cluster.close());

const run = (...args: string[]) => runProgram([...args, '--kubeconfig', cluster.kubeconfig]);

describe('the command line', () => {
  it('helps', async () => {
    const help = await runProgram(['--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    for (const word of ['serve', 'tools', 'call', 'doctor', 'demo', '--kubeconfig', '--allow-writes']) expect(help.stdout).toContain(word);
    expect((await runProgram(['serve', '--help'])).stdout).toContain('/mcp');
    expect((await runProgram(['call', 'kubernetes_get_logs', '--help', '--kubeconfig', cluster.kubeconfig])).stdout).toContain('--grep');
    expect((await runProgram(['--version'])).stdout).toMatch(/^cloud-native-mcp-server \d+\.\d+\.\d+\n$/);
  });

  it('calls a tool for people, and for programs', async () => {
    const people = await run('call', 'kubernetes_list_resources', '--kind', 'deployments', '--namespace', 'shop', '--view', 'names');
    expect(people).toMatchObject({ code: 0, stdout: expect.stringContaining('7 deployments.apps') });
    const program = await run('call', 'kubernetes_list_resources', '--kind=pods', '--namespace=shop', '--view=count', '--json');
    expect(JSON.parse(program.stdout)).toMatchObject({ cluster: 'demo', total: 22 });
  });

  it('tells what is wrong with a call, and ends with 1', async () => {
    const wrong = await run('call', 'kubernetes_list_resources', '--kind', 'podz');
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('pods') });
    const json = await run('call', 'kubernetes_list_resources', '--json');
    expect([json.code, JSON.parse(json.stdout)]).toMatchObject([1, { error: { code: 'INVALID_ARGUMENT', details: { argument: 'kind' } } }]);
    const unknown = await run('call', 'kubernetes_list_resource');
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('kubernetes_list_resources') });
    expect((await runProgram(['fly'])).code).toBe(2);
  });

  it('lists tools with what they cost', async () => {
    const tools = await run('tools');
    expect(tools.stdout).toMatch(/kubernetes_get_logs +read +\d+/);
    expect(tools.stdout).toMatch(/17 tools, about \d+ tokens/);
    const definitions = JSON.parse((await run('tools', '--json')).stdout) as { name: string }[];
    expect(definitions).toHaveLength(17);
  });

  it('examines itself: all well, and a cluster that is not there', async () => {
    const well = await run('doctor');
    expect(well).toMatchObject({ code: 0, stdout: expect.stringMatching(/kubernetes +ok +up, v1\.36/) });
    const bad = await runProgram(['doctor', '--json', '--kubeconfig', 'nowhere/kubeconfig']);
    expect(bad.code).toBe(1);
    expect((JSON.parse(bad.stdout) as { checks: { what: string; result: string }[] }).checks).toContainEqual(
      expect.objectContaining({ what: 'kubernetes', result: 'fail' }),
    );
  });

  it('walks through the demo and ends by itself with --once', async () => {
    const demo = await runProgram(['demo', '--once', '--port', '0']);
    expect(demo).toMatchObject({ code: 0, stderr: '' });
    for (const word of ['CrashLoopBackOff', '512Mi', 'timeout acquiring', '/mcp', 'mcpServers']) expect(demo.stdout).toContain(word);
  });
});
