// Amounts as Kubernetes writes them: `250m`, `512Mi`, `20Gi`, `251346n` (apimachinery, pkg/api/resource).

const FACTORS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The number that a quantity means; NaN when it is none. */
export const parseQuantity = (text: string): number => {
  const found = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/.exec(text.trim());
  if (found === null) return Number.NaN;
  if (found[2] !== undefined) return Number(`${found[1]}${found[2]}`);
  return Number(found[1]) * (FACTORS[found[3] ?? ''] ?? Number.NaN);
};

/** The shortest canonical form: whole numbers of the largest unit that fits without a rest. */
export const toQuantity = (value: number, kind: 'binary' | 'decimal'): string => {
  if (value === 0) return '0';
  const units = kind === 'binary' ? ['Ei', 'Pi', 'Ti', 'Gi', 'Mi', 'Ki', '', 'm'] : ['E', 'P', 'T', 'G', 'M', 'k', '', 'm', 'u', 'n'];
  for (const unit of units) {
    const amount = value / (FACTORS[unit] ?? 1);
    const whole = Math.round(amount);
    if (Math.abs(amount) >= 1 && Math.abs(amount - whole) < 1e-6 * Math.max(1, Math.abs(amount) * 1e-3)) return `${whole}${unit}`;
  }
  return `${Math.ceil(value)}`;
};
