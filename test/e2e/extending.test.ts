// Adding a tool is one object, adding a service one folder and one line: a tiny service built in a temporary folder, by its documentation.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AppError } from '../../src/kit/errors.ts';
import { loadSettings } from '../../src/settings.ts';
import { openApp, type Shop } from '../support/shop.ts';

const kit = (file: string): string => pathToFileURL(join(process.cwd(), 'src', 'kit', file)).href;

const SERVICE = `
import { z } from '${pathToFileURL(join(process.cwd(), 'node_modules', 'zod', 'index.js')).href}';
import { defineService } from '${kit('service.ts')}';
import { tool } from '${kit('tool.ts')}';

export default defineService({
  name: 'myservice',
  title: 'My service',
  config: z.strictObject({ enabled: z.boolean().default(true), url: z.string().optional(), apiKey: z.string().optional() }),
  tools: [
    tool({
      name: 'myservice_get_data', title: 'Get data', description: 'Gets one data set by id.', effect: 'read',
      input: z.object({ id: z.string().describe('Data ID') }),
      output: z.object({ id: z.string(), from: z.string() }),
      run: async ({ id }, client) => ({ head: { id, from: client.url } }),
    }),
    tool({
      name: 'myservice_custom_tool', title: 'Custom tool', description: 'A custom tool.', effect: 'read',
      input: z.object({}), output: z.object({ hello: z.string() }),
      run: async () => ({ head: { hello: 'world' } }),
    }),
  ],
  connect: ({ url }) => ({ url: url ?? 'nowhere' }),
  ping: async () => ({ state: 'up', version: '1.2.3' }),
});
`;

describe('a service from a temporary folder (SEED-ADD-01, SEED-ADD-02, SEED-ADD-04, SEED-GOAL-04, SEED-SCALE-01)', () => {
  let folder: string;
  let plugin: string;
  let server: Omit<Shop, 'embedded'>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'myservice-'));
    plugin = join(folder, 'index.ts');
    await writeFile(plugin, SERVICE);
    server = await openApp({ plugins: [plugin], 'myservice.url': 'https://example.test' });
  });
  afterAll(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('lists its tools with their schema, and calls them (SEED-ADD-03, SEED-TOOL-01, SEED-CALL-01, SEED-CALL-07)', async () => {
    const tools = server.app.surface(['myservice']).tables.tools.items;
    expect(tools.map(({ name }) => name)).toEqual(['myservice_custom_tool', 'myservice_get_data', 'platform_status']);
    expect(tools[1]?.inputSchema).toMatchObject({ properties: { id: { type: 'string' } }, required: ['id'] });
    expect((await server.call('myservice_get_data', { id: '7' })).structured).toEqual({ id: '7', from: 'https://example.test' });
    expect((await server.call('myservice_custom_tool')).text).toBe('hello: world');
  });

  it('refuses a call without id, and an unknown tool (SEED-MGR-02)', async () => {
    const missing = await server.call('myservice_get_data').catch((error: AppError) => error);
    expect(missing).toMatchObject({ code: 'INVALID_ARGUMENT', message: 'id is required.' });
    await expect(server.call('myservice_fly')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: 'Unknown tool: myservice_fly' });
  });

  it('is told by platform_status, has its line in the log, and routes of its own (SEED-ROUTE-02, SEED-MGR-01)', async () => {
    const { structured } = await server.call('platform_status', { service: 'myservice' });
    expect(structured['services']).toMatchObject([{ service: 'myservice', state: 'up', version: '1.2.3' }]);
    const line = server.log.map((text) => JSON.parse(text) as Record<string, unknown>).find(({ tool }) => tool === 'get_data');
    expect(line).toMatchObject({
      level: 'info',
      service: 'myservice',
      tool: 'get_data',
      status: 'success',
      duration_ms: expect.any(Number),
    });
    const door = await server.app.openHttp({ port: 0 });
    const response = await fetch(`${door.url}/api/myservice/http`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    });
    expect(((await response.json()) as { result: { tools: object[] } }).result.tools).toHaveLength(3);
  });

  it('takes its section of the configuration file, with values from the environment (SEED-ADD-05, GUIDE-CONF-01)', async () => {
    const file = join(folder, 'config.yaml');
    await writeFile(
      file,
      `plugins: ['${plugin}']\nmyservice:\n  enabled: true\n  url: https://data.example.test\n  apiKey: "\${MYSERVICE_API_KEY}"\n`,
    );
    const settings = await loadSettings({ file, env: { MYSERVICE_API_KEY: 'a-key' } });
    expect(settings.config['myservice']).toEqual({ enabled: true, url: 'https://data.example.test', apiKey: 'a-key' });
    await expect(loadSettings({ file, env: {} })).rejects.toMatchObject({
      message: expect.stringContaining('MYSERVICE_API_KEY is not set'),
    });
    await writeFile(file, 'myservcie:\n  url: x\n');
    await expect(loadSettings({ file, env: {} })).rejects.toMatchObject({ message: expect.stringContaining('myservcie: unknown key') });
  });

  it('stops the start when two services claim one name, or a plugin cannot be loaded (SEED-MGR-03)', async () => {
    await expect(openApp({ plugins: [plugin, plugin] })).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(openApp({ plugins: [join(folder, 'nothing.ts')] })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('cannot be loaded'),
    });
  });

  it('follows the lists of services and tools (SEED-MOD-02, SEED-REG-01)', async () => {
    const off = await openApp({ plugins: [plugin], 'enableDisable.disabledServices': ['myservice'] });
    expect(off.app.serviceNames).toEqual(['platform']);
    await off.close();
    const fewer = await openApp({ plugins: [plugin], 'enableDisable.disabledTools': ['myservice_custom*'] });
    expect(fewer.app.surface(['all']).tables.tools.items.map(({ name }) => name)).toEqual(['myservice_get_data', 'platform_status']);
    await fewer.close();
    const only = await openApp({ plugins: [plugin], 'kubernetes.enabled': true, 'enableDisable.enabledServices': ['kubernetes'] });
    expect(only.app.serviceNames).toEqual(['platform', 'kubernetes']);
    await only.close();
  });
});
