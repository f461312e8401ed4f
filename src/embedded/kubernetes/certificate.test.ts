import { createPrivateKey, X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { createCertificate } from './certificate.ts';

it('makes certificates that OpenSSL reads: names, times, key, signature', () => {
  const notBefore = Date.parse('2026-10-01T00:00:00Z');
  const notAfter = Date.parse('2051-11-28T12:00:00Z');
  const made = createCertificate({
    seed: 'x',
    commonName: 'shop.example.com',
    names: ['shop.example.com', '127.0.0.1'],
    notBefore,
    notAfter,
    isAuthority: true,
  });
  const certificate = new X509Certificate(made.certificate);
  expect(certificate.subject).toContain('CN=shop.example.com');
  expect(certificate.subjectAltName).toBe('DNS:shop.example.com, IP Address:127.0.0.1');
  expect([certificate.validFromDate.getTime(), certificate.validToDate.getTime()]).toEqual([notBefore, notAfter]);
  expect(certificate.checkPrivateKey(createPrivateKey(made.key))).toBe(true);
  expect([certificate.ca, certificate.verify(certificate.publicKey)]).toEqual([true, true]);
});

it('makes the same certificate again, with a signature that holds whatever is in it', () => {
  const make = (seed: string): string => createCertificate({ seed, commonName: seed, names: [], notBefore: 0, notAfter: 1e12 }).certificate;
  const seeds = Array.from({ length: 40 }, (_, index) => `seed-${index}`);
  expect(seeds.map(make)).toEqual(seeds.map(make));
  const valid = seeds.map(make).filter((text) => {
    const certificate = new X509Certificate(text);
    return certificate.verify(certificate.publicKey);
  });
  expect(valid).toHaveLength(40);
});
