// node --expose-gc bench/redaction.ts: what masking costs, by the number of known values. Prints one table; the best of many rounds counts.

import { randomBytes } from 'node:crypto';
import { createRedactor } from '../src/secrets/redactor.ts';

const LINE =
  '2026-01-02T03:04:05Z level=info msg="request served" path=/api/v1/orders/8f2c status=200 user=alice trace=0af7651916cd43dd8448eb211c80319c\n';
const TEXT = LINE.repeat(800).slice(0, 100 * 1024);
const ESCAPED = JSON.stringify(Array.from({ length: 1200 }, (_, i) => ({ log: `{"msg":"order ${i} \\"quoted\\" done","a":"%2Fx"}`, i })));

/** Milliseconds of one round, the best of half a second. */
const best = (round: () => void): number => {
  let least = Number.POSITIVE_INFINITY;
  for (const end = performance.now() + 500; performance.now() < end; ) {
    const begun = performance.now();
    round();
    least = Math.min(least, performance.now() - begun);
  }
  return least;
};

const measure = (count: number): Record<string, number> => {
  globalThis.gc?.();
  const heap = process.memoryUsage().heapUsed;
  const redactor = createRedactor();
  const values = Array.from({ length: count }, () => randomBytes(24).toString('base64url'));
  const begun = performance.now();
  for (const value of values) redactor.learn(value);
  const learning = performance.now() - begun;
  const perKb = (text: string): number => Math.round((best(() => redactor.mask(text)) / text.length) * 1024 * 1e6);
  const row = {
    values: count,
    'learn, us each': count === 0 ? 0 : Math.round((learning / count) * 1000),
    'log text, ns/KB': perKb(TEXT),
    'escaped JSON, ns/KB': perKb(ESCAPED),
    'a name, ns': Math.round(best(() => redactor.mask('payment-7d9f-abcde')) * 1e6),
  };
  globalThis.gc?.();
  return { ...row, 'heap, MB': Math.round((process.memoryUsage().heapUsed - heap) / 1e5) / 10 };
};

const interleave = (rounds: number): string => {
  const redactor = createRedactor();
  const begun = performance.now();
  for (let round = 0; round < rounds; round++) {
    redactor.learn(randomBytes(24).toString('hex'));
    redactor.mask(LINE);
  }
  return `${rounds} values learnt, a line masked after each: ${Math.round(performance.now() - begun)} ms`;
};

const words = (row: Record<string, number>): string =>
  Object.entries(row)
    .map(([name, value]) => `${name} ${value}`)
    .join(' | ');
for (const count of [0, 10, 1000, 10_000]) process.stdout.write(`${words(measure(count))}\n`);
process.stdout.write(`${interleave(10_000)}\n`);
