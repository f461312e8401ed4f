// Every sample file is loaded, starts an application, and fits the schema that editors use.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createApp, loadSettings } from '../../src/app.ts';
import { listKeys } from '../../src/config/keys.ts';
import { checkExposure } from '../../src/exposure.ts';
import { configKeys, configShape } from '../../src/settings.ts';

const FOLDER = 'deploy/config';
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));
const env = {
  DASHBOARDS_KEY: 'cnm_0123456789abcdef0123',
  ONCALL_KEY: 'cnm_fedcba9876543210fedc',
  SIGNING_KEY: '0123456789abcdef0123456789abcdef',
  REDIS_URL: 'redis://redis:6379/0',
};

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictTypes: false });
formats.default(ajv);
const fits = ajv.compile(JSON.parse(readFileSync('docs/configuration.schema.json', 'utf8')));

describe('the sample files', () => {
  it('are there', () => expect(files).toEqual(['everything.yaml', 'minimal.yaml', 'oidc-proxy.yaml', 'team.yaml']));

  it.each(files)('%s is loaded and starts an application that may listen (SEED-DOC-02)', async (name) => {
    const settings = await loadSettings({ file: join(FOLDER, name), env });
    expect(settings.warnings).toEqual([]);
    checkExposure(settings.config);
    // The signing key of one of them stands in a file that only a deployment has; records would go to its folders.
    const { config } = settings;
    const security = { ...config.security, signingKey: undefined };
    const app = await createApp(
      { ...settings, config: { ...config, security, audit: { ...config.audit, enabled: false } } },
      { log: () => {} },
    );
    expect(app.serviceNames).toContain('platform');
    await app.close();
  });

  it.each(files)('%s fits the schema for editors', (name) => {
    const valid = fits(parse(readFileSync(join(FOLDER, name), 'utf8')));
    expect(fits.errors ?? []).toEqual([]);
    expect(valid).toBe(true);
  });

  it('everything.yaml names every key', async () => {
    const text = readFileSync(join(FOLDER, 'everything.yaml'), 'utf8');
    const tree = parse(text.replace(/^(\s*)# ([A-Za-z_]+:)/gm, '$1$2'));
    const isNamed = (key: string): boolean =>
      key.split('.').reduce<unknown>((node, name) => (node as Record<string, unknown> | undefined)?.[name], tree) !== undefined;
    expect(
      configKeys()
        .map(({ key }) => key)
        .filter((key) => !isNamed(key)),
    ).toEqual([]);
  });
});

describe('the schema for editors', () => {
  it('refuses what the server refuses', () => {
    for (const wrong of [
      { server: { adr: ':1' } },
      { loging: {} },
      { server: { readTimeoutSec: 'soon' } },
      { logging: { level: 'loud' } },
      [],
    ])
      expect([JSON.stringify(wrong), fits(wrong)]).toEqual([JSON.stringify(wrong), false]);
    for (const right of [
      {},
      { server: { readTimeoutSec: '${SECONDS}' } },
      { grafana: { url: 'x' } },
      { performance: { worker_threads: 4 } },
    ])
      expect([JSON.stringify(right), fits(right)]).toEqual([JSON.stringify(right), true]);
  });

  it('describes every key', () => {
    const schema = JSON.parse(readFileSync('docs/configuration.schema.json', 'utf8'));
    const at = (key: string) => key.split('.').reduce((node, name) => node?.properties?.[name], schema);
    expect(
      listKeys(configShape)
        .filter(({ key }) => (at(key)?.description ?? '') === '')
        .map(({ key }) => key),
    ).toEqual([]);
  });
});
