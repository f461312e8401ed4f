import { describe, expect, it } from 'vitest';
import { createCertificate } from '../../../embedded/kubernetes/certificate.ts';
import { checkCertificates } from './certificates.ts';
import { DAY, HOUR, lines, make, NOW, snapshotOf } from './objects.suite.ts';

const secretOf = (from: number, to: number) => {
  const { certificate } = createCertificate({
    seed: 'a',
    commonName: 'a.example.com',
    names: ['a.example.com', 'b.example.com'],
    notBefore: NOW + from,
    notAfter: NOW + to,
  });
  return make('Secret', 'web-tls', { data: { 'tls.crt': Buffer.from(certificate).toString('base64') } });
};
const linesOf = (from: number, to: number): readonly string[] => lines(checkCertificates(snapshotOf([secretOf(from, to)]), NOW));
const ingress = make('Ingress', 'front', { spec: { tls: [{ secretName: 'web-tls', hosts: ['a.example.com'] }] } });

describe('certificates', () => {
  it('finds nothing in one that is good for a while', () => {
    expect(linesOf(-60 * DAY, 30 * DAY)).toEqual([]);
  });

  it('warns two weeks ahead, and names the ingress that serves it', () => {
    const [problem] = checkCertificates(snapshotOf([secretOf(-84 * DAY, 6 * DAY), ingress]), NOW);
    expect(problem).toMatchObject({
      severity: 'warning',
      reason: 'CertificateExpiring',
      detail: 'certificate for a.example.com, b.example.com expires in 6d, at 2026-03-07T12:00:00Z',
      evidence: ['ingress/front serves it for a.example.com'],
      next: { arguments: { kind: 'ingress', name: 'front' } },
    });
  });

  it('does not warn of short-lived ones in the middle of their life', () => {
    expect(linesOf(-10 * HOUR, 14 * HOUR)).toEqual([]);
    expect(linesOf(-20 * HOUR, 4 * HOUR)[0]).toContain('warning secret/web-tls CertificateExpiring');
  });

  it('is critical in the last two days and after the end', () => {
    expect(linesOf(-89 * DAY, DAY)[0]).toContain('critical secret/web-tls CertificateExpiring');
    expect(linesOf(-90 * DAY, -HOUR)).toEqual([
      'critical secret/web-tls CertificateExpired: certificate for a.example.com, b.example.com expired at 2026-03-01T11:00:00Z',
    ]);
  });

  it('tells one that is not valid yet', () => {
    expect(linesOf(HOUR, 90 * DAY)[0]).toContain('CertificateNotYetValid');
  });

  it('tells one that is no certificate only where an ingress serves it', () => {
    const broken = make('Secret', 'web-tls', { data: { 'tls.crt': Buffer.from('nonsense').toString('base64') } });
    expect(checkCertificates(snapshotOf([broken]), NOW)).toEqual([]);
    expect(lines(checkCertificates(snapshotOf([broken, ingress]), NOW))).toEqual([
      'critical secret/web-tls CertificateUnreadable: tls.crt holds no certificate',
    ]);
  });
});
