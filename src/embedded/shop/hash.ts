// Chance that depends on a text alone: the same in every backend and at every start.

/** 32 bits that depend on the text alone (FNV-1a with a final mix). */
export const hashOf = (text: string): number => {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
};

/** A number from 0 to below 1 that depends on the text alone. */
export const fractionOf = (text: string): number => hashOf(text) / 2 ** 32;

/** Hexadecimal digits that depend on the text alone. */
export const hexOf = (text: string, length: number): string => {
  let digits = '';
  for (let part = 0; digits.length < length; part += 1) digits += hashOf(`${text}#${part}`).toString(16).padStart(8, '0');
  return digits.slice(0, length);
};

/** A version 4 UUID that depends on the text alone. */
export const uuidOf = (text: string): string => {
  const digits = hexOf(text, 32);
  const variant = '89ab'.charAt(Number.parseInt(digits.charAt(16), 16) % 4);
  return [digits.slice(0, 8), digits.slice(8, 12), `4${digits.slice(13, 16)}`, `${variant}${digits.slice(17, 20)}`, digits.slice(20)].join(
    '-',
  );
};

/** Letters and digits as Kubernetes uses them in generated names. */
const NAME_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

export const suffixOf = (text: string, length = 5): string => {
  let letters = '';
  for (let index = 0; index < length; index += 1) letters += NAME_LETTERS.charAt(hashOf(`${text}/${index}`) % NAME_LETTERS.length);
  return letters;
};
