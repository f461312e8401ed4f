// Certificates in TLS Secrets: expired, about to expire, not yet valid, unreadable. Only the certificate is looked at, never the key.

import { X509Certificate } from 'node:crypto';
import { formatDuration, toTimestamp } from '../../../kit/duration.ts';
import { type KubeObject, listAt, nameOf, namespaceOf, textAt, textsAt } from '../../../upstream/kubernetes/objects.ts';
import { type Place, placeIn } from './place.ts';
import { lookAt } from './pods.ts';
import { type Check, type Problem, someOf, toRef } from './problem.ts';
import type { Snapshot } from './snapshot.ts';

const DAY_MS = 86_400_000;
const SOON_MS = 14 * DAY_MS;
const VERY_SOON_MS = 2 * DAY_MS;

/** Data of Secrets is never shown: of the certificate, its end is. */
const placeOf = (secret: KubeObject, value: string): Place => ({ of: toRef(secret), field: 'data["tls.crt"]', value });

interface Term {
  readonly from: number;
  readonly to: number;
  readonly names: string;
  readonly certificate: X509Certificate;
}

/** The first certificate of the chain is the server's own. Undefined: nothing that can be read. */
const readCertificate = (secret: KubeObject): Term | undefined => {
  const pem = Buffer.from(textAt(secret, 'data', 'tls.crt') ?? '', 'base64');
  try {
    const certificate = new X509Certificate(pem);
    const { validFrom, validTo, subjectAltName, subject } = certificate;
    const names = (subjectAltName ?? subject ?? '').replaceAll('DNS:', '').replaceAll('\n', ', ');
    return { from: Date.parse(validFrom), to: Date.parse(validTo), names: someOf(names.split(', '), 2), certificate };
  } catch {
    return undefined;
  }
};

/** Ingresses that serve this Secret. */
const usersOf = (cluster: Snapshot, secret: KubeObject): readonly KubeObject[] =>
  cluster
    .list('ingresses')
    .filter(
      (ingress) =>
        namespaceOf(ingress) === namespaceOf(secret) &&
        listAt(ingress, 'spec', 'tls').some((tls) => textAt(tls, 'secretName') === nameOf(secret)),
    );

/** Hosts that an Ingress serves with a certificate that is not for them: clients refuse it. */
const judgeHosts = (
  users: readonly KubeObject[],
  { certificate, names }: Term,
  common: Pick<Problem, 'ref' | 'involves' | 'next'>,
): readonly Problem[] =>
  users.flatMap((ingress): readonly Problem[] => {
    const index = listAt(ingress, 'spec', 'tls').findIndex((tls) => textAt(tls, 'secretName') === common.ref.name);
    const hosts = textsAt(listAt(ingress, 'spec', 'tls')[index], 'hosts');
    const wrong = hosts.filter((host) => certificate.checkHost(host.replace(/^\*\./, 'x.')) === undefined);
    if (wrong.length === 0) return [];
    const ref = toRef(ingress);
    return [
      {
        severity: 'warning',
        ref,
        reason: 'CertificateWrongHost',
        detail: `serves ${someOf(wrong)} with the certificate of secret ${common.ref.name}, which is for ${names}`,
        at: placeIn(ingress, `spec.tls[${index}].hosts`),
        involves: [common.ref],
        next: lookAt(ref, 'describe'),
      },
    ];
  });

const judge = (cluster: Snapshot, secret: KubeObject, now: number): readonly Problem[] => {
  const users = usersOf(cluster, secret);
  const hosts = users.flatMap((ingress) => listAt(ingress, 'spec', 'tls')).flatMap((tls) => textsAt(tls, 'hosts'));
  const [first] = users;
  const common = {
    ref: toRef(secret),
    evidence: users.map(
      (ingress) => `ingress/${nameOf(ingress)} serves it${hosts.length > 0 ? ` for ${someOf([...new Set(hosts)])}` : ''}`,
    ),
    involves: users.map(toRef),
    next: lookAt(first === undefined ? toRef(secret) : toRef(first), 'describe'),
  };
  const term = readCertificate(secret);
  if (term === undefined) {
    // A Secret that nobody serves may be a placeholder that some controller fills.
    return users.length === 0
      ? []
      : [
          {
            ...common,
            severity: 'critical',
            reason: 'CertificateUnreadable',
            detail: 'tls.crt holds no certificate',
            at: placeOf(secret, 'no certificate'),
          },
        ];
  }
  const left = term.to - now;
  const at = placeOf(secret, `ends ${toTimestamp(term.to)}`);
  const words = `certificate for ${term.names}`;
  if (left <= 0)
    return [
      {
        ...common,
        severity: 'critical',
        reason: 'CertificateExpired',
        since: term.to,
        at,
        detail: `${words} expired at ${toTimestamp(term.to)}`,
      },
    ];
  if (term.from > now)
    return [
      {
        ...common,
        severity: 'warning',
        reason: 'CertificateNotYetValid',
        detail: `${words} is valid from ${toTimestamp(term.from)}`,
        at: placeOf(secret, `begins ${toTimestamp(term.from)}`),
      },
    ];
  if (left > SOON_MS || left > (term.to - term.from) / 3) return judgeHosts(users, term, common);
  return [
    {
      ...common,
      severity: left <= VERY_SOON_MS && left < (term.to - term.from) / 10 ? 'critical' : 'warning',
      reason: 'CertificateExpiring',
      at,
      detail: `${words} expires in ${formatDuration(Math.floor(left / 60_000) * 60_000)}, at ${toTimestamp(term.to)}`,
    },
  ];
};

export const checkCertificates: Check = (cluster, now) => cluster.list('secrets').flatMap((secret) => judge(cluster, secret, now));
