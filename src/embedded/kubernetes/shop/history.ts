// When the releases of the shop were installed and upgraded, and which versions they had.
import { DAY, HOUR, PAYMENT, RELEASES, type Shop, type ShopRelease, STORY } from '../../shop.ts';
import { type App, CLUSTER_AGE } from './app.ts';

/** Last upgrade of each release, before T0. */
const LAST_UPGRADE: Readonly<Record<string, number>> = {
  web: 6 * DAY + 3 * HOUR,
  cart: 19 * DAY,
  checkout: 9 * DAY + 5 * HOUR,
  payment: STORY.paymentUpgrade,
  catalog: 27 * DAY,
  recommendation: STORY.recommendationRollout,
  email: 33 * DAY,
  postgres: 41 * DAY,
  redis: 55 * DAY,
  kafka: 48 * DAY,
  prometheus: 23 * DAY,
  alertmanager: 36 * DAY,
  grafana: 23 * DAY,
  jaeger: 30 * DAY,
  'otel-collector': 12 * DAY,
  elasticsearch: 44 * DAY,
  kibana: 44 * DAY,
  gateway: 31 * DAY,
};

export interface Revision {
  readonly number: number;
  readonly at: number;
  readonly chartVersion: string;
  readonly appVersion: string;
}

/** The version before one: the last number that is not zero goes down by one, what follows it starts anew. */
const versionBefore = (version: string): string => {
  const parts = version.split('.');
  const index = parts.findLastIndex((part) => !/^v?0$/.test(part));
  return parts
    .map((part, place) => {
      if (place > index) return '3';
      if (place < index) return part;
      const number = Number(part.replace('v', '')) - 1;
      return part.startsWith('v') ? `v${number}` : String(number);
    })
    .join('.');
};

export const releaseOf = ({ namespace, name, release }: App): ShopRelease | undefined =>
  RELEASES.find((entry) => entry.namespace === namespace && entry.name === (release ?? name));

/** The revisions of a release, oldest first: spread over its life, the last two with the versions that the story names. */
export const revisionsOf = (shop: Shop, release: ShopRelease, age: number): Revision[] => {
  const last = LAST_UPGRADE[release.name] ?? age;
  const count = release.revision;
  const revisions: Revision[] = [];
  let { chartVersion, appVersion } = release;
  for (let number = count; number >= 1; number -= 1) {
    const share = count === 1 ? 0 : (count - number) / (count - 1);
    revisions.unshift({ number, at: shop.before(last + Math.round((age - last) * share)), chartVersion, appVersion });
    const isPaymentStep = release.name === 'payment' && number === PAYMENT.bad.revision;
    chartVersion = isPaymentStep ? PAYMENT.good.version : versionBefore(chartVersion);
    appVersion = isPaymentStep ? PAYMENT.good.version : keepsVersion(release, number) ? appVersion : versionBefore(appVersion);
  }
  return revisions;
};

/** Recommendation's last upgrade changed its node selector only. */
const keepsVersion = ({ name, revision }: ShopRelease, number: number): boolean => name === 'recommendation' && number === revision;

/** When the objects of an application came into being, and when its templates changed last. */
export const timesOf = (shop: Shop, app: App): { readonly createdAt: number; readonly changedAt: number; readonly revision: number } => {
  const createdAt = shop.before(app.age);
  const release = releaseOf(app);
  if (release === undefined) return { createdAt: shop.before(CLUSTER_AGE), changedAt: shop.before(CLUSTER_AGE), revision: 1 };
  const revisions = revisionsOf(shop, release, app.age);
  const last = revisions.at(-1);
  return { createdAt, changedAt: last?.at ?? createdAt, revision: last?.number ?? 1 };
};
