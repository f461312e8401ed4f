import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkStrength, generateKey, hashKey } from './generate.ts';
import { hashPassword, parsePasswordHash, verifyPassword } from './password.ts';

describe('keys (SEED-SECRET-03)', () => {
  it('have the length, prefix and alphabet asked for, and differ', () => {
    const keys = Array.from({ length: 500 }, () => generateKey({ length: 24, prefix: 'cnm_', alphabet: '0123456789abcdef' }));
    expect(new Set(keys).size).toBe(500);
    for (const key of keys) expect(key).toMatch(/^cnm_[0-9a-f]{24}$/);
  });

  it('use every character about as often as any other', () => {
    const counts = new Map<string, number>();
    for (const character of Array.from({ length: 200 }, () => generateKey({ length: 1000, alphabet: 'abcdefg' })).join(''))
      counts.set(character, (counts.get(character) ?? 0) + 1);
    const expected = 200_000 / 7;
    // Chi-square with 6 degrees of freedom: above 40 once in two million runs.
    const chi = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect([counts.size, chi < 40]).toEqual([7, true]);
  });

  it.each([
    { length: 15 },
    { length: 1.5 },
    { length: 5000 },
    { length: 20, alphabet: 'ab' },
    { alphabet: 'aab' },
    { alphabet: 'a' },
    { alphabet: 'ab c' },
    { prefix: 'a b' },
  ])('are not made weak: %o', (options) => {
    expect(() => generateKey(options)).toThrow();
  });

  it('that were generated pass as strong, whatever their prefix', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[xyz]{0,4}_?$/), (prefix) => {
        checkStrength(generateKey({ prefix }), 'key');
      }),
    );
  });

  it.each([
    'short',
    'aaaaaaaaaaaaaaaaaaaa',
    'abcabcabcabcabcabc',
    '1234567890123456',
    'changeme-changeme-1',
    'your-secret-api-key-here',
    'CHANGE_ME_please_now',
    'my-super-secret-key',
  ])('of manuals and samples are refused: %s', (key) => {
    expect(() => checkStrength(key, 'auth.apiKey')).toThrow(/auth\.apiKey/);
  });

  it('are hashed as sha256sum does', () => {
    expect(hashKey('abc')).toBe('sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });
});

describe('passwords', () => {
  it('verify against their own hash alone, and no two hashes are equal', async () => {
    const [first, second] = [await hashPassword('the same password'), await hashPassword('the same password')];
    expect(first).not.toBe(second);
    expect(first).toMatch(/^\$scrypt\$ln=15,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(await verifyPassword('the same password', parsePasswordHash(second, 'x'))).toBe(true);
    expect(await verifyPassword('the same passwore', parsePasswordHash(second, 'x'))).toBe(false);
  });

  it('verify against the test vector of RFC 7914, 12', async () => {
    const hash = Buffer.from(
      '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887',
      'hex',
    );
    const encoded = `$scrypt$ln=14,r=8,p=1$${Buffer.from('SodiumChloride').toString('base64').replace(/=+$/, '')}$${hash.toString('base64').replace(/=+$/, '')}`;
    expect(await verifyPassword('pleaseletmein', parsePasswordHash(encoded, 'x'))).toBe(true);
  });

  it.each([
    '',
    'plain text',
    '$2b$10$abcdefghijklmnopqrstuv',
    '$scrypt$ln=31,r=8,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2g',
    '$scrypt$ln=4,r=8,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2g',
  ])('are not taken from the hash %s', (text) => {
    expect(() => parsePasswordHash(text, 'auth.users[0].hash')).toThrow(/auth\.users\[0\]\.hash: must be a scrypt hash/);
  });
});
