// A start without configuration uses what was made when the program was built: the same as reading nothing.

import { describe, expect, it } from 'vitest';
import { loadSettings } from '../../src/app.ts';
import { loadSettings as readSettings } from '../../src/settings.ts';

describe('the settings of a start without configuration', () => {
  it('are those that reading nothing gives', async () => {
    const env = { HOME: '/home/x', KUBECONFIG: '/home/x/config' };
    const quick = await loadSettings({ env, flags: { 'server.addr': undefined } });
    const read = await readSettings({ env });
    expect(quick.config).toEqual(JSON.parse(JSON.stringify(read.config)));
    expect(Object.keys(await quick.shape())).toEqual(Object.keys(await read.shape()));
    expect([quick.warnings, [...quick.given], quick.env]).toEqual([read.warnings, [...read.given], env]);
  });

  it('belong to one start alone: what one changes no other sees', async () => {
    const one = await loadSettings({ env: {} });
    (one.config as unknown as { output: { maxTokens: number } }).output.maxTokens = 1;
    expect((await loadSettings({ env: {} })).config.output.maxTokens).toBe(4000);
  });

  it.each([
    ['a variable', { env: { MCP_OUTPUT_MAX_TOKENS: '500' } }],
    ['a flag', { env: {}, flags: { 'output.maxTokens': '500' } }],
  ])('are read where %s says something', async (_, options) => {
    expect((await loadSettings(options)).config.output.maxTokens).toBe(500);
  });

  it('are read for the variables of others that are keys here', async () => {
    expect((await loadSettings({ env: { VAULT_ADDR: 'https://vault:8200' } })).config.secrets.vault.address).toBe('https://vault:8200');
  });
});
