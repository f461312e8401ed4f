import { describe, expect, it } from 'vitest';
import { checkIngresses } from './ingresses.ts';
import { lines, make, NOW, snapshotOf } from './objects.suite.ts';

const ingress = (spec: Record<string, unknown> = {}) =>
  make('Ingress', 'front', {
    spec: {
      ingressClassName: 'nginx',
      rules: [{ host: 'a.example.com', http: { paths: [{ path: '/x', backend: { service: { name: 'web', port: { name: 'http' } } } }] } }],
      ...spec,
    },
  });
const nginx = make('IngressClass', 'nginx', { spec: { controller: 'x/y' } });
const web = make('Service', 'web', { spec: { ports: [{ name: 'http', port: 80 }] } });

describe('ingresses', () => {
  it('finds nothing in one that leads somewhere', () => {
    expect(checkIngresses(snapshotOf([ingress(), nginx, web]), NOW)).toEqual([]);
  });

  it('tells a class that does not exist', () => {
    expect(lines(checkIngresses(snapshotOf([ingress({ ingressClassName: 'ngnx' }), nginx, web]), NOW))).toEqual([
      'critical ingress/front ClassMissing: there is no IngressClass ngnx; there are: nginx',
    ]);
  });

  it('tells a backend and a port that do not exist', () => {
    expect(checkIngresses(snapshotOf([ingress(), nginx, make('Service', 'wep')]), NOW)[0]).toMatchObject({
      reason: 'BackendMissing',
      detail: 'a.example.com/x leads to service web, which does not exist; near: wep',
    });
    const other = make('Service', 'web', { spec: { ports: [{ name: 'https', port: 443 }] } });
    expect(checkIngresses(snapshotOf([ingress(), nginx, other]), NOW)[0]?.detail).toContain(
      'port http of service web, which has https, 443',
    );
  });

  it('makes one problem of all faults of one ingress', () => {
    const found = checkIngresses(snapshotOf([ingress({ ingressClassName: 'x', tls: [{ secretName: 'cert' }] })]), NOW);
    expect(found).toHaveLength(1);
    expect(found[0]?.evidence).toHaveLength(2);
  });

  it('concludes nothing from kinds that could not be read', () => {
    const cluster = snapshotOf([ingress({ tls: [{ secretName: 'cert' }] })], [], ['services', 'secrets', 'ingressclasses']);
    expect(checkIngresses(cluster, NOW)).toEqual([]);
  });
});
