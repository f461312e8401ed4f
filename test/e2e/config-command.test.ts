// The config commands and the flags of the bare command that look without serving, on the built program.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Cluster, openCluster, runProgram } from '../support/program.ts';

let cluster: Cluster;
let folder: string;
beforeAll(async () => {
  cluster = await openCluster();
  folder = await mkdtemp(join(tmpdir(), 'config-'));
});
afterAll(async () => {
  await cluster.close();
  await rm(folder, { recursive: true, force: true });
});

const write = async (name: string, text: string): Promise<string> => {
  const file = join(folder, name);
  await writeFile(file, text);
  return file;
};

describe('config validate', () => {
  it('tells that all is well, in a table and with 0 (GUIDE-CONF-02)', async () => {
    const file = await write('good.yaml', `kubernetes: { kubeconfig: ${cluster.kubeconfig} }\nserver: { addr: "127.0.0.1:0" }\n`);
    for (const words of [['config', 'validate'], ['--validate-config']]) {
      const told = await runProgram([...words, '--config', file]);
      expect(told).toMatchObject({ code: 0, stderr: '' });
      expect(told.stdout).toMatch(/^CHECK +RESULT +DETAIL\nconfiguration +ok +2 keys are set\nlistener +ok +127\.0\.0\.1:0\n/);
      expect(told.stdout).toMatch(/service kubernetes +ok +up, v1\.36/);
    }
  });

  it('says what does not answer, and ends with 1', async () => {
    const { stdout, code } = await runProgram([
      'config',
      'validate',
      '--json',
      '--config',
      await write(
        'unreachable.yaml',
        [
          'kubernetes: { kubeconfig: /nowhere/kubeconfig }',
          'server: { addr: "0.0.0.0:8080", tls: { certFile: /nowhere/crt, keyFile: /nowhere/key } }',
          'auth: { enabled: true, mode: bearer, oidcIssuerUrl: "http://127.0.0.1:9", oidcAudience: mcp }',
          `audit: { storage: all, file: { path: ${cluster.kubeconfig}/audit.log }, database: { type: postgresql, connectionString: "postgres://u:SECRET@127.0.0.1:9/a" } }`,
          'otel: { enabled: true, endpoint: "127.0.0.1:9" }',
          'store: { type: redis, url: "file:/nowhere/redis" }',
        ].join('\n'),
      ),
    ]);
    const { checks } = JSON.parse(stdout) as { checks: { what: string; result: string; detail: string }[] };
    expect(code).toBe(1);
    expect(checks.filter(({ result }) => result === 'fail').map(({ what }) => what)).toEqual([
      'listener',
      'authentication',
      'store',
      'secret store.url',
      'audit file',
      'audit database',
      'telemetry',
      'service kubernetes',
      'service helm',
    ]);
    expect(stdout).not.toContain('SECRET');
  });

  it('refuses a wrong file with all its problems, and 2', async () => {
    const file = await write('wrong.yaml', 'server: { mode: ssee, adr: "x" }\n');
    expect(await runProgram(['config', 'validate', '--config', file])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(
        /2 problems\.\n {2}server\.mode: must be one of .* Did you mean sse\?\n {2}server\.adr: unknown key\. Did you mean server\.addr\?/,
      ),
    });
    expect(await runProgram(['config', 'validate', '--config', join(folder, 'none.yaml')])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('does not exist'),
    });
  });

  it('refuses an open listener as the server would', async () => {
    const told = await runProgram(['config', 'validate', '--addr', '0.0.0.0:8080', '--kubeconfig', cluster.kubeconfig]);
    expect([told.code, told.stdout]).toEqual([1, expect.stringMatching(/listener +fail +Refusing to listen/)]);
  });
});

describe('config print', () => {
  it('shows the defaults where nothing is configured', async () => {
    const { stdout, code } = await runProgram(['config', 'print', '--json']);
    const { keys } = JSON.parse(stdout) as { keys: { key: string; value: unknown; source: string }[] };
    expect(code).toBe(0);
    expect(keys).toContainEqual({ key: 'server.addr', value: '127.0.0.1:8080', source: 'default' });
    expect(keys.length).toBeGreaterThan(100);
  });

  it('shows every value with its source, and no secret', async () => {
    const file = await write(
      'print.yaml',
      'auth: { enabled: true, apiKey: "SECRET-1-0123456789", apiKeys: [{ name: ci, key: "SECRET-2-0123456789" }] }\nlogging: { level: warn }\nserver: { publicUrl: "https://u:SECRET-3@x.example" }\n',
    );
    const env = { MCP_LOG_JSON: 'yes', MCP_STORE_URL: 'redis://:SECRET-4@redis', MCP_SIGNING_KEY_FILE: '/run/secrets/signing' };
    const { stdout, code } = await runProgram(['config', 'print', '--config', file, '--log-level', 'error'], env);
    expect(code).toBe(0);
    expect(stdout).not.toContain('SECRET-');
    for (const line of [
      '  level: error # flag --log-level',
      '  json: true # environment MCP_LOG_JSON',
      '  apiKey: "***" # file',
      '  signingKey: "***" # environment MCP_SIGNING_KEY_FILE',
      '  readTimeoutSec: 30 # default',
      '  publicUrl: https://***@x.example # file',
    ])
      expect(stdout.split('\n')).toContain(line);
    expect(parse(stdout)).toMatchObject({ auth: { apiKeys: [{ name: 'ci', key: '***', scopes: ['read'] }] } });
    const { keys } = JSON.parse((await runProgram(['config', 'print', '--json', '--config', file], env)).stdout);
    expect(keys).toContainEqual({ key: 'store.url', value: '***', source: 'environment MCP_STORE_URL' });
  });
});

describe('config schema', () => {
  it('prints the schema of the documentation', async () => {
    const { stdout } = await runProgram(['config', 'schema']);
    expect(JSON.parse(stdout)).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema', additionalProperties: false });
  });
});

describe('config migrate', () => {
  const OLD = `server:
  mode: sse
  addr: 0.0.0.0:8080
  readTimeoutSec: 0
  ssePaths: { kubernetes: /api/kubernetes/sse, grafana: /g, loki: /api/loki/sse }
logging: { level: info }
kubernetes: { kubeconfig: "", qps: 100 }
grafana: { enabled: true, url: "http://grafana:3000" }
loki: { enabled: true }
auth: { enabled: true, apiKey: "\${API_KEY}", apiKye: x }
audit: { enabled: true, maxResults: 50, database: { type: mysql } }
performance: { worker_threads: 4 }
`;

  it('writes the new file and says what became of each key; none is lost', async () => {
    const { stdout, stderr, code } = await runProgram(['config', 'migrate', await write('old.yaml', OLD)]);
    expect(parse(stdout)).toEqual({
      server: { mode: 'sse', addr: '0.0.0.0:8080', readTimeoutSec: 0, ssePaths: { grafana: '/g' } },
      logging: { level: 'info' },
      kubernetes: { qps: 100 },
      grafana: { enabled: true, url: 'http://grafana:3000' },
      auth: { enabled: true, apiKey: '${API_KEY}' },
      audit: { enabled: true, query: { maxResults: 50 }, database: { type: 'mysql' } },
    });
    // Something is left to mend by hand.
    expect(code).toBe(1);
    expect(stderr).toMatchSnapshot();
  });

  it('gives a file that starts once it is mended', async () => {
    const { stdout, code } = await runProgram([
      'config',
      'migrate',
      await write('old-2.yaml', OLD.replace(', apiKye: x', '').replace(', database: { type: mysql }', '')),
    ]);
    expect(code).toBe(0);
    const printed = await runProgram(['config', 'print', '--config', await write('new.yaml', stdout)], { API_KEY: 'cnm_0123456789abcdef' });
    expect(printed).toMatchObject({ code: 0, stderr: 'The section grafana is not part of this version yet; it has no effect.\n' });
  });
});

describe('config policy test', () => {
  it('explains the decision and the rule: 0 allowed, 1 denied', async () => {
    const file = await write(
      'policy.yaml',
      `plugins: [${join(process.cwd(), 'test/support/notes-service.ts')}]
security:
  policy:
    rules: [{ name: no-secrets, action: deny, kind: secrets }]
    roles:
      writer: [{ name: notes-of-shop, action: allow, effect: write, service: notes, namespace: shop }]
    bindings: [{ role: writer, group: [sre, oncall] }]
`,
    );
    const test = async (...words: string[]) => {
      const { code, stdout, stderr } = await runProgram(['config', 'policy', 'test', '--config', file, '--as', 'oidc:ann', ...words]);
      return [code, stdout + stderr];
    };
    const change = ['--tool', 'notes_set_text', '--allow-writes'];
    expect(await test(...change, '--group', 'dev', '--group', 'oncall', '--namespace', 'shop', '--kind', 'notes.example')).toEqual([
      0,
      'allowed: oidc:ann calling notes_set_text (write). Decided by: notes-of-shop\n',
    ]);
    expect(await test(...change, '--group', 'oncall', '--namespace', 'data')).toMatchObject([
      1,
      expect.stringContaining('no rule allows it'),
    ]);
    expect(await test(...change, '--namespace', 'shop')).toMatchObject([1, expect.stringContaining('no rule allows it')]);
    expect(await test('--tool', 'notes_set_text', '--group', 'sre')).toMatchObject([1, expect.stringContaining('allowWrites is off')]);
    const list = ['--tool', 'kubernetes_list_resources'];
    expect(await test(...list, '--kind', 'Secret', '--namespace', 'shop')).toMatchObject([1, expect.stringContaining('no-secrets')]);
    expect(await test(...list)).toMatchObject([0, expect.stringContaining('Some rules look at the target')]);
    expect(await test(...list, '--scope', 'write')).toMatchObject([1, expect.stringContaining('scope read')]);
    expect(await test('--tool', 'kubernetes_list_resource')).toMatchObject([2, expect.stringContaining('kubernetes_list_resources')]);
  });
});

describe('--list', () => {
  it('lists services and tools as text, JSON, table and CSV, and counts every tool', async () => {
    const list = async (...words: string[]) => (await runProgram([...words, '--kubeconfig', cluster.kubeconfig])).stdout;
    const services = JSON.parse(await list('--list', 'services', '--output', 'json')) as { name: string; tools: number }[];
    const tools = JSON.parse(await list('--list', 'tools', '--output', 'json')) as { name: string; service: string }[];
    expect(services.map(({ name }) => name)).toEqual(['platform', 'kubernetes', 'helm']);
    expect(services.reduce((sum, { tools: count }) => sum + count, 0)).toBe(tools.length);
    expect(await list('--list', 'tools', '--service', 'platform')).toBe('platform_status: platform, read\n\n1 tools\n');
    expect(await list('--list', 'services', '--output', 'table')).toMatch(/^NAME +TOOLS\nplatform +1\n/);
    const csv = (await list('--list', 'tools', '--output', 'csv', '--verbose')).split('\r\n');
    expect([csv[0], csv.length]).toEqual(['name,service,effect,description', tools.length + 1]);
    expect(await runProgram(['--list', 'pods'])).toMatchObject({ code: 2, stderr: '--list must be one of services, tools.\n' });
    expect(await runProgram(['--list', 'tools', '--output', 'xml'])).toMatchObject({ code: 2 });
    expect(await runProgram(['--list', 'tools', '--service', 'grafana'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('grafana'),
    });
  });
});

describe('the log level', () => {
  it('follows default, file, environment and flag, in this order (SEED-CONF-05)', async () => {
    const file = await write('level.yaml', 'logging: { level: debug }\naudit: { enabled: false }\n');
    const lines = async (words: string[], env: Record<string, string> = {}): Promise<string[]> => {
      // Over stdio the input ends at once; what the start has to say is said.
      const { stderr } = await runProgram(
        ['--config', file, '--kubeconfig', cluster.kubeconfig, ...words],
        { MCP_LOG_JSON: 'true', ...env },
        INPUT,
      );
      return [...new Set(stderr.split('\n').flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { level: string }).level])))];
    };
    expect(await lines([])).toContain('debug');
    expect(await lines([], { MCP_LOG_LEVEL: 'error' })).toEqual([]);
    expect(await lines(['--log-level', 'debug'], { MCP_LOG_LEVEL: 'error' })).toContain('debug');
  });
});

const request = (id: number, method: string, params: object): string => JSON.stringify({ jsonrpc: '2.0', id, method, params });
const INPUT = `${[
  request(1, 'initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } }),
  request(2, 'tools/call', { name: 'kubernetes_list_resources', arguments: { kind: 'pods', namespace: 'shop' } }),
].join('\n')}\n`;
