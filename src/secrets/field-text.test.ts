import { describe, expect, it } from 'vitest';
import { createRedactor } from './redactor.ts';

const { mask, maskLines } = createRedactor({ fields: ['customerIban', 'pin'] });

describe('the value behind the name of a field in a text', () => {
  it.each([
    ['customerIban=DE02 status=ok', 'customerIban=*** status=ok'],
    ['CUSTOMER_IBAN=DE02', 'CUSTOMER_IBAN=***'],
    ['at 10:15 customer-iban: DE02, name: anna', 'at 10:15 customer-iban: ***, name: anna'],
    ['{"customerIban":"DE02 \\"x\\" 33","name":"anna"}', '{"customerIban":"***","name":"anna"}'],
    ['{"pin":4711,"name":"anna"}', '{"pin":***,"name":"anna"}'],
    ['{"a":"{\\"pin\\":\\"4711\\",\\"name\\":\\"anna\\"}"}', '{"a":"{\\"pin\\":\\"***\\",\\"name\\":\\"anna\\"}"}'],
    ["{'pin': '4711'}", "{'pin': '***'}"],
    ['user_pin=4711&page=2', 'user_pin=***&page=2'],
    ['data.customerIban: DE02 -> DE03', 'data.customerIban: ***'],
    ['  pin: 4711 # of anna', '  pin: ***'],
    ['"pin": 4711', '"pin": ***'],
    ['- pin: 4711\n  name: anna', '- pin: ***\n  name: anna'],
    ['pin: |\n  4711\n\n  4712\nname: anna', 'pin: ***\n  ***\n\n  ***\nname: anna'],
    ['pin:\n  old: 4711\n  new: 4712\nname: anna', 'pin:\n  ***\n  ***\nname: anna'],
    ['pin:\n- 4711\n- 4712\nname: anna', 'pin:\n***\n***\nname: anna'],
    ['- pin: >-\n    4711\n- name: anna', '- pin: ***\n    ***\n- name: anna'],
  ])('%j becomes %j', (text, masked) => {
    expect(mask(text)).toBe(masked);
  });

  it.each(['spin: 3', 'pinned=true', 'pins: 4', 'mapping: x', 'the pin is lost', 'pin', 'a:b', 'https://shop.example.com:8080/pin'])(
    '%j stays: that is another name, or no value',
    (text) => {
      expect(mask(text)).toBe(text);
    },
  );

  it('keeps the number of neighbouring lines', () => {
    expect(maskLines(['pin: |', '  4711', 'name: anna'])).toEqual(['pin: ***', '  ***', 'name: anna']);
  });

  it.each([
    'a'.repeat(200_000),
    'pin:'.repeat(50_000),
    'pin="'.repeat(50_000),
    `pin${' '.repeat(200_000)}`,
    '\\'.repeat(200_000),
    '- '.repeat(100_000),
  ])('is looked for in linear time (%#)', (text) => {
    expect(mask(text).length).toBeLessThanOrEqual(text.length);
  });

  it('is nothing special where no names are configured', () => {
    expect(createRedactor().mask('pin=4711')).toBe('pin=4711');
    expect(createRedactor().mask.hides).toBeUndefined();
  });
});
