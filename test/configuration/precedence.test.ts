// One precedence for every key, walked key by key: default < file < environment < flag. What is not set stays as documented.

import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { z } from 'zod';
import { type ConfigKey, getAt, setAt, toDefault, toInner, toMeta } from '../../src/config/keys.ts';
import { configKeys } from '../../src/settings.ts';
import { toRefusal, toSettings } from '../support/settings.ts';

const keys = configKeys();

const TEXTS = ['127.0.0.1:81', '127.0.0.1:82', '127.0.0.1:83', 'https://one.example', 'https://two.example', 'https://three.example'];
const CANDIDATES: Readonly<Record<string, readonly unknown[]>> = {
  boolean: [true, false],
  number: [0, 0.25, 0.5, 1, 2, 3, 8, 9, 10, 150, 151, 152, 250, 251, 252, 2048, 2049, 2050],
  string: [...TEXTS, 'one', 'two', 'three'],
  array: [['one'], ['two'], ['three', 'four']],
  union: ['one', 'two', 'three'],
};

/** Three values that the schema takes and that are not the default, as far as there are so many. */
const toSamples = ({ schema, type }: ConfigKey): unknown[] => {
  const usual = JSON.stringify(toDefault(schema));
  const all = type === 'enum' ? Object.values(toInner(schema).entries ?? {}) : (CANDIDATES[type] ?? []);
  const fit = all.filter((value) => {
    const parsed = z.safeParse(schema, value);
    return parsed.success && JSON.stringify(parsed.data) !== usual;
  });
  return [0, 1, 2].map((index) => fit[index % fit.length]);
};

const toText = (value: unknown): string => (Array.isArray(value) ? value.join(',') : String(value));
const toFile = (key: string, value: unknown): string => {
  const tree = {};
  setAt(tree, key, value);
  return stringify(tree);
};
/** As the configuration holds it: a list may be given as text. */
const parse = ({ schema }: ConfigKey, value: unknown): unknown => z.safeParse(schema, value).data;

/** Lists of mappings and policies stand in files alone. Plugins are proven by loading one (test/e2e/extending.test.ts); there is one provider, and one value of redaction. */
const settable = keys.filter(
  ({ key, env }) => env !== undefined && !env.includes('<') && !['plugins', 'secrets.provider', 'security.redaction.values'].includes(key),
);

describe('every key', () => {
  it('is described, and has a variable unless it holds mappings', () => {
    expect(keys.filter(({ schema }) => (toMeta(schema).description ?? '').length < 5).map(({ key }) => key)).toEqual([]);
    expect(keys.filter(({ env }) => env === undefined).map(({ key }) => key)).toEqual([
      'logging.services',
      'auth.apiKeys',
      'auth.users',
      'auth.mtls.subjects',
      'cache.warm_up',
      'security.policy.rules',
      'security.policy.roles',
      'security.policy.bindings',
      'helm.repositories',
    ]);
  });

  it('has a variable of its own', () => {
    const names = keys.flatMap(({ env, aliases = [] }) => (env === undefined ? [] : [env, ...aliases]));
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it.each(settable.map((key) => [key.key, key] as const))('%s: default < file < environment < flag', async (name, key) => {
    const [first, second, third] = toSamples(key);
    expect(first).toBeDefined();
    const { config: usual } = await toSettings({});
    expect(getAt(usual, name)).toEqual(toDefault(key.schema));
    const text = toFile(name, first);
    const env = { [key.env ?? '']: toText(second) };
    const file = await toSettings({ text });
    expect([getAt(file.config, name), file.from.get(name)]).toEqual([parse(key, first), 'file']);
    const variable = await toSettings({ text, env });
    expect([getAt(variable.config, name), variable.from.get(name)]).toEqual([parse(key, second), key.env]);
    const flag = await toSettings({ text, env, flags: { [name]: toText(third) }, flagNames: { [name]: '--it' } });
    expect([getAt(flag.config, name), flag.from.get(name)]).toEqual([parse(key, third), '--it']);
  });

  const zeros = settable.filter(({ type, schema }) => type === 'number' && z.safeParse(schema, 0).success);
  it.each(zeros.map((key) => [key.key, key] as const))('%s: an explicit zero is a value', async (name, key) => {
    expect(getAt((await toSettings({ text: toFile(name, 0) })).config, name)).toBe(0);
    expect(getAt((await toSettings({ text: toFile(name, 1), env: { [key.env ?? '']: '0' } })).config, name)).toBe(0);
    expect(getAt((await toSettings({ flags: { [name]: '0' } })).config, name)).toBe(0);
  });

  it.each(keys.filter(({ aliases = [] }) => aliases.length > 0).map((key) => [key.aliases?.[0] ?? '', key] as const))(
    '%s is an older name',
    async (alias, key) => {
      const [first, second] = toSamples(key);
      expect(getAt((await toSettings({ env: { [alias]: toText(first) } })).config, key.key)).toEqual(parse(key, first));
      const both = await toSettings({ env: { [alias]: toText(first), [key.env ?? '']: toText(second) } });
      expect(getAt(both.config, key.key)).toEqual(parse(key, second));
    },
  );

  it.each(keys.filter(({ secret, env }) => secret && env !== undefined).map((key) => [key.key, key] as const))(
    '%s: a secret may stand in the file that <variable>_FILE names',
    async (name, key) => {
      const fits = z.safeParse(key.schema, 'file:/run/secrets/one').success;
      const { config, from } = fits
        ? await toSettings({ env: { [`${key.env}_FILE`]: '/run/secrets/one' } })
        : { config: { refused: await toRefusal({ env: { [`${key.env}_FILE`]: '/run/secrets/one' } }) }, from: new Map() };
      if (fits) expect([getAt(config, name), from.get(name)]).toEqual(['file:/run/secrets/one', `${key.env}_FILE`]);
      else expect(config).toEqual({ refused: expect.stringContaining(name) });
    },
  );
});

describe('variables', () => {
  it('empty ones count as unset, and so do empty texts and keys without a value in the file', async () => {
    const { config, given } = await toSettings({
      text: 'auth:\n  apiKey: ""\n  oidcIssuerUrl: ""\n  username:\nkubernetes:\n  kubeconfig: ""\nserver:\nlogging: { level: warn }\n',
      env: { MCP_LOG_LEVEL: '', MCP_MAX_BODY_BYTES: '', MCP_PROFILES: '' },
    });
    expect(config).toMatchObject({ logging: { level: 'warn' }, server: { maxBodyBytes: 4_194_304 }, profiles: ['core'] });
    expect([config.auth.apiKey, config.auth.username, [...given]]).toEqual([undefined, undefined, ['logging.level']]);
  });

  it('name routes per service: MCP_SSE_PATH_KUBERNETES and its kin (default < file < environment)', async () => {
    const { config, from } = await toSettings({
      text: 'server: { ssePaths: { kubernetes: /k8s, aggregate: /all } }',
      env: { MCP_SSE_PATH_KUBERNETES: '/k', MCP_STREAMABLE_HTTP_PATH_AGGREGATE: '/a', MCP_HTTP_PATH_PLATFORM: '/p' },
    });
    expect(config.server).toMatchObject({
      ssePaths: { kubernetes: '/k', aggregate: '/all' },
      streamableHttpPaths: { aggregate: '/a' },
      httpPaths: { platform: '/p' },
    });
    expect(from.get('server.ssePaths')).toBe('file, MCP_SSE_PATH_KUBERNETES');
  });

  it('are put in place of ${NAME}, as numbers and lists too; $${ is a literal (GUIDE-CONF-01)', async () => {
    const text =
      'server: { readTimeoutSec: "${SECONDS}", allowedHosts: "${HOSTS}", maxBodyBytes: "${BYTES}" }\nsecurity: { allowWrites: "${WRITES}" }\notel: { serviceName: "a-${WHO}-$${WHO}" }\n';
    const { config } = await toSettings({
      text,
      env: { SECONDS: '7', HOSTS: 'a.example, b.example', BYTES: '2048', WRITES: 'yes', WHO: 'x' },
    });
    expect(config).toMatchObject({
      server: { readTimeoutSec: 7, allowedHosts: ['a.example', 'b.example'], maxBodyBytes: 2048 },
      security: { allowWrites: true },
      otel: { serviceName: 'a-x-${WHO}' },
    });
  });
});
