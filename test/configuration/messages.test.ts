// What a wrong configuration is told, word by word: each message names the key, what is wrong, and what would be right.

import { describe, expect, it } from 'vitest';
import { createApp } from '../../src/app.ts';
import { type Given, toRefusal, toSettings } from '../support/settings.ts';

const CASES: Readonly<Record<string, Given>> = {
  'an unknown mode': { text: 'server: { mode: ssee }' },
  'an unknown mode in the environment': { env: { MCP_MODE: 'websocket' } },
  'a missing field': { text: 'auth: { apiKeys: [{ key: "0123456789abcdef" }] }' },
  'a URL without scheme': { text: 'auth: { oidcIssuerUrl: "login.example.com" }' },
  'a URL of another scheme': { env: { MCP_PUBLIC_URL: 'ftp://mcp.example.com' } },
  'an address without port': { text: 'server: { addr: "127.0.0.1" }' },
  'a URL where an address belongs': { text: 'server: { addr: "http://127.0.0.1:8080" }' },
  'a port above 65535': { env: { MCP_ADDR: '127.0.0.1:70000' } },
  'a text where a number belongs': { text: 'server: { readTimeoutSec: soon }' },
  'a number that is not whole': { text: 'server: { readTimeoutSec: 1.5 }' },
  'a number below its bound': { text: 'server: { readTimeoutSec: -1 }' },
  'a number above its bound': { flags: { 'server.readTimeoutSec': '3601' }, flagNames: { 'server.readTimeoutSec': '--read-timeout' } },
  'a number that must be more than zero': { text: 'ratelimit: { requests_per_second: 0 }' },
  'a boolean in other words': { env: { MCP_ALLOW_WRITES: 'maybe' } },
  'a text where a list belongs': { text: 'profiles: core' },
  'a list where a section belongs': { text: 'server: [a]' },
  'a value where a section belongs': { text: 'logging: debug' },
  'an unknown section': { text: 'loging: { level: debug }' },
  'an unknown key': { text: 'server: { readTimeout: 5 }' },
  'a key in the wrong section': { text: 'server: { allowWrites: true }' },
  'an unknown key of no likeness': { text: 'server: { zzzzzz: 1 }' },
  'a rule of the policy': { text: 'security: { policy: { rules: [{ action: permit, verb: read }] } }' },
  'a variable that is not set': { text: 'auth: { apiKey: "${NO_SUCH_KEY}" }' },
  'a secret given twice': { env: { MCP_AUTH_API_KEY: 'a', MCP_AUTH_API_KEY_FILE: '/b' } },
  'a scope that does not exist': { text: 'auth: { apiKeys: [{ name: ci, key: "0123456789abcdef", scopes: [root] }] }' },
  'a key with both forms': { text: `auth: { apiKeys: [{ name: ci, key: "0123456789abcdef", hash: "sha256:${'0'.repeat(64)}" }] }` },
  'a relative route': { env: { MCP_SSE_PATH_KUBERNETES: 'k8s' } },
  'several at once': { text: 'server: { addr: here, mod: sse }\nlogging: { level: loud }' },
  'no YAML': { text: 'server: {' },
  'a key twice': { text: 'server: { addr: ":1" }\nserver: { addr: ":2" }' },
  'a list as the whole': { text: '- server' },
  MySQL: { text: 'audit: { database: { type: mysql } }' },
};

describe('a configuration that cannot be used', () => {
  it('is refused in words that name mode, missing field, scheme and port (GUIDE-CONF-03)', async () => {
    const told = await Promise.all(Object.entries(CASES).map(async ([name, given]) => [name, await toRefusal(given)] as const));
    const words = Object.fromEntries(told.map(([name, text]) => [name, text.replace(/\/\S*settings-[^/]+\//, '')]));
    expect(Object.values(words)).not.toContain('accepted');
    expect(words).toMatchSnapshot();
  });

  it('never repeats a secret', async () => {
    const text = 'auth: { apiKey: ["SECRET-VALUE-1"], jwtAlgorithm: SECRET-VALUE-2 }\nstore: { url: { a: SECRET-VALUE-3 } }';
    expect(await toRefusal({ text })).not.toMatch(/SECRET-VALUE-[13]/);
  });

  it('names services that do not exist, also as a route', async () => {
    const refused = async (given: Given): Promise<string> =>
      createApp(await toSettings(given), { log: () => {} }).then(
        () => 'accepted',
        (thrown: unknown) => String((thrown as Error).message),
      );
    expect(await refused({ env: { MCP_ENABLED_SERVICES: 'kuberntes' } })).toBe(
      'Configuration enableDisable.enabledServices: there is no service kuberntes. Did you mean kubernetes?',
    );
    expect(await refused({ env: { MCP_SSE_PATH_KUBERNTES: '/x' } })).toBe(
      'Configuration server.ssePaths: there is no service kuberntes. Did you mean kubernetes?',
    );
  });
});

describe('a configuration of the earlier edition', () => {
  it('keeps working: services that are not here and dropped keys get one warning each', async () => {
    const { warnings, config } = await toSettings({
      text: 'grafana: { enabled: true, url: "http://grafana:3000" }\nloki: { enabled: false }\nperformance: { worker_threads: 4, buffer_size: 1 }\nserver: { ssePaths: { grafana: /g, loki: /l } }\nenableDisable: { enabledServices: [kubernetes, grafana] }\n',
      env: { MCP_PROM_ADDRESS: 'http://prometheus:9090', MCP_PROM_TIMEOUT: '5' },
    });
    expect(warnings).toEqual([
      'The section grafana is not part of this version yet; it has no effect.',
      'The variable MCP_PROM_ADDRESS is not part of this version yet; it has no effect.',
      'The section loki belongs to a service that is not part of this product; it has no effect.',
      'The key performance.worker_threads has no effect any more: it set up the Go runtime.',
      'The key performance.buffer_size has no effect any more: it set up the Go runtime.',
    ]);
    // A service that is not here must not open all others.
    expect(config.enableDisable.enabledServices).toEqual(['kubernetes', 'grafana']);
  });
});
