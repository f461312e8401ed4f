import { expect, it } from 'vitest';
import { createSealer } from './seal.ts';

const sealer = createSealer('a key of at least thirty-two bytes');
const open = (token: string) => sealer.open('plan', 'alice', token, 0);

it.each([1, 2, 3])('opens a token in the one form that it was given, with %i bytes more or less', (size) => {
  const value = 'x'.repeat(size);
  const token = sealer.seal('plan', 'alice', value, 1);
  expect(open(token)).toEqual({ value });
  const last = token.at(-1) ?? '';
  const others = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'].filter((character) => character !== last);
  const altered = [...others.map((character) => token.slice(0, -1) + character), `${token}=`, `${token} `, `${token}!`, ` ${token}`];
  for (const forged of altered) expect(open(forged)).toEqual({ refused: 'invalid' });
});

it('opens nothing that was cut off, however short', () => {
  const token = sealer.seal('plan', 'alice', 'value', 1);
  for (let length = 0; length < token.length; length++) expect(open(token.slice(0, length))).toEqual({ refused: 'invalid' });
});
