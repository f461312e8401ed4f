// The runs of the broken payment pods, and the charges that fail in them.
import { PAYMENT, SECOND, STORY } from './facts.ts';
import { fractionOf, hashOf, hexOf } from './hash.ts';
import type { Shop } from './world.ts';

/** One run of a container between its start and its end. */
export interface Life {
  readonly startedAt: number;
  /** Undefined while it runs. */
  readonly endedAt: number | undefined;
}

/** Seconds before T0 at which the pods of payment r8 were created. */
export const PAYMENT_CREATED = [2520, 2496, 2472] as const;

/** Seconds before T0: start and (OOMKilled) end of the runs of each payment pod; the last end of the first pod leaves it in CrashLoopBackOff. */
const PAYMENT_LIVES: readonly (readonly (readonly [number, number])[])[] = [
  [
    [2518, 2160],
    [2158, 1990],
    [1979, 1790],
    [1769, 1560],
    [1519, 1330],
    [1249, 1060],
    [899, 700],
    [399, 190],
  ],
  [
    [2494, 1920],
    [1918, 870],
    [859, -640],
  ],
  [
    [2470, 1740],
    [1738, 1120],
    [1109, 380],
    [359, -390],
  ],
];

/** How the runs go on after those of the table: seconds of waiting and of running. */
const PAYMENT_RHYTHM: readonly (readonly [number, number])[] = [
  [301, 190],
  [41, 1460],
  [81, 710],
];

/** The runs of the container `payment` in a pod of r8, up to a time, oldest first. */
export const paymentLives = (shop: Shop, ordinal: number, until: number): Life[] => {
  const lives: Life[] = [];
  const [wait, run] = PAYMENT_RHYTHM[ordinal] ?? [0, 0];
  const told = PAYMENT_LIVES[ordinal] ?? [];
  let [start, end] = told[0] ?? [0, 0];
  for (let index = 0; run > 0 && shop.before(start * SECOND) <= until; index += 1) {
    const endedAt = shop.before(end * SECOND);
    lives.push({ startedAt: shop.before(start * SECOND), endedAt: endedAt <= until ? endedAt : undefined });
    const next = told[index + 1] ?? [end - wait, end - wait - run];
    [start, end] = next;
  }
  return lives;
};

const isAlive = (shop: Shop, ordinal: number, at: number): boolean => paymentLives(shop, ordinal, at).at(-1)?.endedAt === undefined;

export interface FailedCharge {
  readonly at: number;
  /** 32 hexadecimal digits: the trace of the same request has them too. */
  readonly traceId: string;
  /** Ordinal of the payment pod. */
  readonly pod: number;
  /** Milliseconds that the request waited for a connection. */
  readonly waited: number;
  readonly orderId: string;
}

/** One failed `POST /charge` is told per slot of this length. */
export const CHARGE_SLOT = 5 * SECOND;

/** The failed charges that logs, documents and traces all show, between two times (from inclusive), oldest first. */
export const failedCharges = (shop: Shop, from: number, until: number): FailedCharge[] => {
  const first = Math.ceil((Math.max(from, shop.before(STORY.latencyRise)) - shop.startedAt - CHARGE_SLOT) / CHARGE_SLOT);
  const charges: FailedCharge[] = [];
  for (let slot = first; ; slot += 1) {
    const key = `${shop.seed}/charge/${slot}`;
    const at = shop.startedAt + slot * CHARGE_SLOT + Math.floor(fractionOf(key) * (CHARGE_SLOT - 1));
    if (at >= until) break;
    if (at < from || !shop.isBroken(at)) continue;
    const alive = [0, 1, 2].filter((ordinal) => isAlive(shop, ordinal, at));
    charges.push({
      at,
      traceId: hexOf(`trace/${key}`, 32),
      pod: alive[hashOf(`${key}/pod`) % Math.max(1, alive.length)] ?? 1,
      waited: PAYMENT.poolWait + (hashOf(`${key}/waited`) % 12),
      orderId: `ord-${100_000 + (hashOf(`${key}/order`) % 900_000)}`,
    });
  }
  return charges;
};
