// Kubernetes quantities (apimachinery/pkg/api/resource): CPU in cores, everything else as a plain number (bytes for memory).

const BINARY: Readonly<Record<string, number>> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 };
const DECIMAL: Readonly<Record<string, number>> = { n: 1e-9, u: 1e-6, m: 1e-3, '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 };
const QUANTITY = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([KMGTPE]i)|([numkMGTPE]?)|[eE]([+-]?\d+))$/;

/** The number behind a quantity, undefined for a text that is none. `251346n` is 0.000251346, `123Mi` is 128974848. */
export const parseQuantity = (text: unknown): number | undefined => {
  if (typeof text === 'number') return Number.isFinite(text) ? text : undefined;
  if (typeof text !== 'string') return undefined;
  const [matched, digits = '', binary, decimal = '', exponent] = QUANTITY.exec(text.trim()) ?? [];
  if (matched === undefined) return undefined;
  if (binary !== undefined) return Number(digits) * (BINARY[binary] ?? Number.NaN);
  // One conversion from text keeps 0.1m and 251346n as exact as a number can be.
  return exponent === undefined ? toExact(digits, DECIMAL[decimal] ?? Number.NaN) : Number(`${digits}e${exponent}`);
};

const toExact = (digits: string, factor: number): number => Number(`${digits}e${Math.round(Math.log10(factor))}`);

/** The sum of quantities; those that cannot be read count as nothing. */
export const sumQuantities = (texts: Iterable<unknown>): number => {
  let sum = 0;
  for (const text of texts) sum += parseQuantity(text) ?? 0;
  return sum;
};

/** Cores as people write them: `250m`, `2`, `1.5`, `0`. Under a thousandth of a core one digit more. */
export const formatCores = (cores: number): string => {
  if (cores === 0) return '0';
  const milli = cores * 1000;
  if (Math.abs(milli) < 1) return `${trim(milli, 1)}m`;
  return Math.abs(Math.round(milli)) < 1000 ? `${Math.round(milli)}m` : trim(cores, 2);
};

/** Bytes as people write them: `512Mi`, `1.5Gi`, `900`. */
export const formatBytes = (bytes: number): string => {
  const [unit, size] = Object.entries(BINARY).findLast(([, factor]) => Math.abs(bytes) >= factor) ?? ['', 1];
  const value = bytes / size;
  return `${trim(value, Math.abs(value) < 10 && unit !== '' ? 1 : 0)}${unit}`;
};

const trim = (value: number, digits: number): string => String(Number(value.toFixed(digits)));
