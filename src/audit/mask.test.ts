import { describe, expect, it } from 'vitest';
import { createMasker } from './mask.ts';

const fields = ['password', 'token', 'apiKey', 'secret', 'authorization'];
const toText = createMasker({ mask: (text) => text.replaceAll('canary', '***'), fields, maskValue: '[hidden]' });
const masked = (value: unknown): unknown => JSON.parse(toText(value));

describe('arguments in records', () => {
  it('stay as they are when they are harmless', () => {
    const value = {
      kind: 'pods',
      limit: 5,
      wide: true,
      none: null,
      labels: { app: 'web' },
      list: [1, 'two', [3]],
      maxTokens: 100,
      secretName: 'tls',
    };
    expect(masked(value)).toEqual(value);
    expect(masked('text')).toBe('text');
    expect(masked(undefined)).toBe(null);
    expect(masked({ a: undefined, b: Number.NaN, c: () => 1 })).toEqual({ b: null, c: null });
  });

  it('lose values under masked names, whatever their type and depth, also where a name ends with one', () => {
    expect(
      masked({
        password: 5,
        adminPassword: { a: 1 },
        'x-api-key': ['k'],
        API_KEY: 'k',
        apikey: 'k',
        nested: [{ client_secret: 'k' }],
        Authorization: 'k',
      }),
    ).toEqual({
      password: '[hidden]',
      adminPassword: '[hidden]',
      'x-api-key': '[hidden]',
      API_KEY: '[hidden]',
      apikey: '[hidden]',
      nested: [{ client_secret: '[hidden]' }],
      Authorization: '[hidden]',
    });
  });

  it('lose known secret values in values and in names', () => {
    expect(masked({ canary: 'a canary', list: ['canary'] })).toEqual({ '***': 'a ***', list: ['***'] });
  });

  it('lose the data of Kubernetes Secrets, as objects and in manifests', () => {
    expect(masked({ manifest: { kind: 'Secret', metadata: { name: 'a' }, data: { x: 'eA==' }, stringData: { y: 'z' } } })).toEqual({
      manifest: { kind: 'Secret', metadata: { name: 'a' }, data: '[hidden]', stringData: '[hidden]' },
    });
    for (const manifest of [
      'apiVersion: v1\nkind: Secret\ndata:\n  x: eA==',
      '{"kind": "Secret", "data": {"x": "eA=="}}',
      "kind: 'Secret'",
    ])
      expect(masked({ manifest })).toEqual({ manifest: '[hidden]' });
    expect(masked({ manifest: 'kind: SecretStore' })).toEqual({ manifest: 'kind: SecretStore' });
  });

  it('are cut with a note when they are huge, long, deep or many', () => {
    expect(masked({ text: 'x'.repeat(5000) })).toEqual({ text: `${'x'.repeat(1024)}... (cut, 5000 characters)` });
    const many = toText(Array.from({ length: 100_000 }, (_, index) => index));
    expect(many.length).toBeLessThan(20_000);
    expect(many).toContain('(cut, 100000 items)');
    const wide = toText(Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`key${index}`, 'value'])));
    expect(wide.length).toBeLessThan(20_000);
    expect(wide).toContain('(cut, 50000 fields)');
    let deep: unknown = 'end';
    for (let level = 0; level < 5000; level += 1) deep = { deep };
    expect(toText(deep)).toContain('(cut, too deep)');
    const texts = toText(Array.from({ length: 1000 }, () => 'y'.repeat(1_000_000)));
    expect(texts.length).toBeLessThan(20_000);
    expect(masked({ ['n'.repeat(5000)]: 1 })).toEqual({ [`${'n'.repeat(200)}...`]: 1 });
  });

  it('keep no part of a secret at a cut', () => {
    const across = createMasker({ mask: (text) => text.replaceAll('s'.repeat(2000), '***'), fields, maskValue: '' });
    expect(across({ text: `${'a'.repeat(1000)}${'s'.repeat(2000)}${'b'.repeat(3000)}` })).not.toMatch(/s{5}/);
    const shrinking = across({ text: `${'s'.repeat(2000).repeat(8)}${'s'.repeat(2000)}` });
    expect(shrinking).not.toMatch(/s{500}/);
  });

  it('can hold what looks like the end of a line without being one', () => {
    const value = { text: '","writer":"000000000000","seq":1,"prev_hash":"0"}', __proto__: 1 };
    expect(masked(value)).toEqual(value);
  });
});
