// Attacks by what a server is configured with: keys that are no keys, in the file, the policy, variables and flags.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { toRefusal, toSettings } from '../support/settings.ts';
import { openApp } from '../support/shop.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attack-configuration-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(() => {
  for (const made of [{}, [], () => {}]) expect('polluted' in made).toBe(false);
});

const KEYS: Readonly<Record<string, string>> = {
  'a prototype as a section': '__proto__: { polluted: 1 }',
  'a prototype in a section': 'server: { __proto__: { polluted: 1, addr: "0.0.0.0:1" } }',
  'a prototype in a list': 'auth: { apiKeys: [{ name: ci, key: "0123456789abcdef", __proto__: { scopes: [admin] } }] }',
  'a prototype in a mapping of routes': 'server: { ssePaths: { __proto__: { polluted: /x } } }',
  'a prototype in the roles of the policy': 'security: { policy: { roles: { __proto__: [{ action: allow }] } } }',
  'a prototype that is quoted': '"__proto__": { polluted: 1 }',
  'a prototype merged in': '<<: { __proto__: { polluted: 1 } }',
  'a constructor as a section': 'constructor: { prototype: { polluted: 1 } }',
  'a constructor in a section': 'server: { constructor: { prototype: { polluted: 1 } } }',
  'a method of objects': 'hasOwnProperty: 1',
  'an alias of itself': 'server: &all { addr: *all }',
  'aliases that multiply': `a: &a [${'1,'.repeat(50)}]\nb: &b [${'*a,'.repeat(50)}]\nc: &c [${'*b,'.repeat(50)}]\nd: [${'*c,'.repeat(50)}]`,
};

describe('the configuration file', () => {
  it.each(Object.entries(KEYS))('%s is refused by its name, and pollutes nothing', async (_, text) => {
    const refusal = await toRefusal({ text });
    expect(refusal).toMatch(/unknown key|is not allowed|is no valid YAML/);
  });
});

describe('variables and flags', () => {
  it.each([
    [{ env: { MCP_SSE_PATH___PROTO__: '/x' } }, 'the variable MCP_SSE_PATH___PROTO__ names no service'],
    [{ env: { 'MCP_SSE_PATH___proto__.polluted': '/x' } }, 'names no service'],
    [{ flags: { '__proto__.polluted': '1' } }, '__proto__: unknown key'],
    [{ flags: { 'constructor.prototype.polluted': '1' } }, 'constructor: unknown key'],
  ])('%j is refused', async (given, words) => {
    expect(await toRefusal(given)).toContain(words);
  });
});

describe('the policy file', () => {
  it.each([
    ['a prototype', '__proto__: { rules: [] }', 'the key __proto__ is not allowed'],
    ['a rule with a prototype', 'rules: [{ action: deny, __proto__: { action: allow } }]', 'the key rules.0.__proto__ is not allowed'],
    ['a role called __proto__', 'roles: { __proto__: [{ action: allow }] }', 'the key roles.__proto__ is not allowed'],
    ['a constructor', 'constructor: { prototype: { polluted: 1 } }', 'constructor'],
    ['a binding to a method of objects', 'bindings: [{ role: constructor, principal: "*" }]', 'there is no role constructor'],
    ['a binding to the prototype', 'bindings: [{ role: __proto__, principal: "*" }]', 'there is no role __proto__'],
  ])('%s stops the start', async (_, text, words) => {
    const file = join(folder, 'policy.yaml');
    await writeFile(file, text);
    await expect(openApp({ 'security.policyFile': file })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(words),
    });
  });
});

describe('a variable that nothing reads', () => {
  it('is told with the nearest name, once each', async () => {
    const env = {
      MCP_ADRR: '127.0.0.1:1',
      MCP_AUTH_APIKEY: 'SECRET-VALUE-1',
      MCP_ALLOW_WRITE: 'true',
      MCP_SIGNING_KEY_FIEL: '/run/key',
      MCP_MAX_CONECTIONS: '1',
      MCP_ZZZZZZZZZZZZ: '1',
    };
    const { warnings } = await toSettings({ env });
    expect(warnings).toEqual([
      'The variable MCP_ADRR is read by nothing. Did you mean MCP_ADDR?',
      'The variable MCP_AUTH_APIKEY is read by nothing. Did you mean MCP_AUTH_API_KEY?',
      'The variable MCP_ALLOW_WRITE is read by nothing. Did you mean MCP_ALLOW_WRITES?',
      'The variable MCP_SIGNING_KEY_FIEL is read by nothing. Did you mean MCP_SIGNING_KEY?',
      'The variable MCP_MAX_CONECTIONS is read by nothing. Did you mean MCP_MAX_CONNECTIONS?',
      'The variable MCP_ZZZZZZZZZZZZ is read by nothing.',
    ]);
  });

  it('is none when the file reads it, when it is empty, or when the platform has put it there', async () => {
    const env = {
      MCP_CONFIG: '/etc/config.yaml',
      MCP_MY_LEVEL: 'debug',
      MCP_EMPTY: '',
      MCP_SERVER_SERVICE_HOST: '10.0.0.1',
      MCP_SERVER_SERVICE_PORT: '8080',
      MCP_SERVER_SERVICE_PORT_HTTP: '8080',
      MCP_SERVER_PORT: 'tcp://10.0.0.1:8080',
      MCP_SERVER_PORT_8080_TCP_ADDR: '10.0.0.1',
      MCP_SSE_PATH_KUBERNETES: '/k8s',
    };
    const { warnings, config } = await toSettings({ env, text: 'logging: { level: "${MCP_MY_LEVEL}" }' });
    expect([warnings, config.logging.level]).toEqual([[], 'debug']);
  });
});
