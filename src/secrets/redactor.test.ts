// Masking by value: every form in which a value reappears, every bound, and nothing else.

import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRedactor, type RedactorOptions } from './redactor.ts';

const open = (values: readonly string[], options?: RedactorOptions) => {
  const redactor = createRedactor(options);
  for (const value of values) redactor.learn(value);
  return redactor;
};

const SECRET = 'Zq7/pL+9"x\\é&w=4';
const HEX = Buffer.from(SECRET).toString('hex');
const inGo = (text: string): string => JSON.stringify(text).replaceAll('&', '\\u0026').replaceAll('<', '\\u003c');

describe('a value', () => {
  it.each([
    ['plain', SECRET],
    ['escaped as JSON', JSON.stringify(SECRET)],
    ['escaped as JSON twice', JSON.stringify(JSON.stringify(SECRET))],
    ['escaped as JSON by Go', inGo(SECRET)],
    ['escaped with \\/', JSON.stringify(SECRET).replaceAll('/', '\\/')],
    ['escaped with \\u002f', JSON.stringify(SECRET).replaceAll('/', '\\u002f')],
    ['URL-encoded', encodeURIComponent(SECRET)],
    ['URL-encoded in lower case', encodeURIComponent(SECRET).replace(/%../g, (code) => code.toLowerCase())],
    ['URL-encoded twice', encodeURIComponent(encodeURIComponent(SECRET))],
    ['as a form', new URLSearchParams({ x: SECRET }).toString()],
    ['URL-encoded in JSON', JSON.stringify(`"${encodeURIComponent(SECRET)}"`)],
    ['in base64', Buffer.from(SECRET).toString('base64')],
    ['in base64url', Buffer.from(SECRET).toString('base64url')],
    ['in base64, URL-encoded', encodeURIComponent(Buffer.from(SECRET).toString('base64'))],
    [
      'in base64, with line ends',
      `${Buffer.from(SECRET).toString('base64').slice(0, 8)}\n${Buffer.from(SECRET).toString('base64').slice(8)}`,
    ],
    ['in hexadecimal', HEX],
    ['in upper hexadecimal', HEX.toUpperCase()],
    ['over two lines', `${SECRET.slice(0, 7)}\n    ${SECRET.slice(7)}`],
  ])('is masked %s', (_, text) => {
    const masked = open([SECRET]).mask(`before ${text} after`);
    expect(masked).toMatch(/^before .*\*\*\*.* after$/);
    // At most the last character of the encoding, which stands for less than one of the value, or what quotes it.
    expect(masked.replace('before ', '').replace(' after', '').replace('***', '').replace(/^x=/, '')).toMatch(
      /^[\\"]*[A-Za-z0-9]?(?:=|%3D)*[\\"]*$/,
    );
  });

  it('is masked in base64 wherever it begins, whatever stands around it', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 9 }),
        fc.uint8Array({ maxLength: 9 }),
        fc.constantFrom('base64', 'base64url'),
        (a, b, encoding) => {
          const redactor = open(['correct-horse-battery']);
          const text = Buffer.concat([a, Buffer.from('correct-horse-battery'), b]).toString(encoding);
          const masked = redactor.mask(text);
          expect(masked).toContain('***');
          expect(Buffer.from(masked.split('***').join(''), encoding).toString('latin1')).not.toContain('horse');
        },
      ),
      { seed: 7 },
    );
  });

  it('of any characters is masked plain, escaped and encoded', () => {
    const value = fc
      .string({ unit: 'grapheme', minLength: 8, maxLength: 40 })
      .filter((text) => text.trim().length >= 8 && !/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u.test(text));
    fc.assert(
      fc.property(value, (text) => {
        const secret = text.trim();
        const redactor = open([secret]);
        for (const form of [secret, JSON.stringify(secret), encodeURIComponent(secret)])
          expect(redactor.mask(`<${form}>`)).not.toContain(form.slice(1, -1));
      }),
      { seed: 11 },
    );
  });

  it('with characters of regular expressions is meant as it stands', () => {
    const redactor = open(['a.b*c(d)[e]|f$']);
    expect(redactor.mask('a.b*c(d)[e]|f$ axbbc(d)[e]|f$')).toBe('*** axbbc(d)[e]|f$');
  });

  it('that contains or overlaps another is masked as a whole', () => {
    const redactor = open(['abcdefgh', 'efghijkl', 'abcdefghijklmnop-long', 'cdefgh']);
    expect(redactor.mask('x abcdefghijkl y')).toBe('x *** y');
    expect(redactor.mask('x abcdefghijklmnop-long y')).toBe('x *** y');
    expect(redactor.mask('x abcdef efghijkl y')).toBe('x abcdef *** y');
  });

  it('that was cut is masked up to the cut', () => {
    const redactor = open(['correct-horse-battery']);
    expect(redactor.mask('password=correct-hor…(+20 chars)')).toBe('password=***…(+20 chars)');
    expect(redactor.mask('password=corre…')).toBe('password=corre…');
  });

  it('inside a value is masked alone too: fields of JSON and settings, passwords of URLs, basic authentication', () => {
    const auth = Buffer.from('robot:mohawk-9-teapot').toString('base64');
    const redactor = open([
      `{"auths":{"registry.example":{"username":"robot","password":"pa55-for-registry","auth":"${auth}"}}}`,
      'DB_PASSWORD=settings-pa55\nDB_HOST=payment-db\nSECRET_NAME=payment-db-credentials',
      'postgres://shop:url%2Fpa55-x@payment-db:5432/shop',
    ]);
    for (const secret of ['pa55-for-registry', auth, 'mohawk-9-teapot', 'settings-pa55', 'url%2Fpa55-x', 'url/pa55-x'])
      expect(redactor.mask(`<${secret}>`), secret).toMatch(/^<\*\*\*=*>$/);
    expect(redactor.mask('payment-db payment-db-credentials')).toBe('payment-db payment-db-credentials');
  });
});

describe('a value of many lines', () => {
  const body = Array.from({ length: 4 }, (_, index) =>
    Buffer.alloc(48, index + 65)
      .toString('base64')
      .replace(/^..../, `L${index}x/`),
  );
  const pem = `-----BEGIN PRIVATE KEY-----\n${body.join('\n')}\nc2hvcnQ=\n-----END PRIVATE KEY-----\n`;

  it.each([
    ['as it stands', pem],
    ['with other line ends', pem.replaceAll('\n', '\r\n')],
    ['in a block of YAML', pem.replaceAll('\n', '\n      ')],
    ['escaped as JSON', JSON.stringify(pem)],
    ['wrapped at another width', pem.replaceAll('\n', '').replace(/.{40}/g, '$&\n')],
    ['in base64', Buffer.from(pem).toString('base64')],
    ['in base64, wrapped', Buffer.from(pem).toString('base64').replace(/.{76}/g, '$&\n')],
  ])('is masked %s', (_, text) => {
    const masked = open([pem]).mask(`key: ${text}`);
    for (const part of [...body, 'c2hvcnQ', Buffer.from(pem).toString('base64').slice(80, 100)]) expect(masked).not.toContain(part);
    expect(masked.length).toBeLessThan(20);
  });

  it('is masked line by line too, without the marks of the format', () => {
    const redactor = open([pem]);
    expect(redactor.mask(`${body[2]} and -----BEGIN PRIVATE KEY-----`)).toBe('*** and -----BEGIN PRIVATE KEY-----');
  });
});

describe('lines of one text', () => {
  it('are masked where a value begins on one and goes on on the next; as many come back (RULE-01)', () => {
    const redactor = open(['correct-horse-battery']);
    expect(redactor.maskLines(['start', 'password=correct-ho', 'rse-battery end', 'x\ny', 'z\r'])).toEqual([
      'start',
      'password=***',
      '*** end',
      'x y',
      'z ',
    ]);
    const base64 = Buffer.from('correct-horse-battery').toString('base64');
    expect(redactor.maskLines([base64.slice(0, 9), base64.slice(9)])).toEqual(['***', '***']);
    expect(redactor.maskLines([])).toEqual(['']);
  });
});

describe('what is no secret', () => {
  it.each(['default', 'password', 'true', 'localhost', 'kube-system', 'Production', 'short', '', '-----BEGIN CERTIFICATE-----'])(
    'such as %j is not learnt',
    (word) => {
      const redactor = open([word]);
      expect(redactor.learned()).toBe(0);
      expect(redactor.mask(`is ${word} here`)).toBe(`is ${word} here`);
    },
  );

  it('stands unharmed: tokens and ids of this server among ten thousand values', () => {
    const redactor = open(Array.from({ length: 10_000 }, () => randomBytes(12).toString('base64')));
    for (let round = 0; round < 500; round++) {
      const token = `pl_${randomBytes(150).toString('base64url')} ${randomBytes(16).toString('hex')}`;
      expect(redactor.mask(token)).toBe(token);
    }
  });
});

describe('how many are remembered', () => {
  it('is bounded: the oldest goes, own secrets stay, and it is told once', () => {
    let told = 0;
    const redactor = createRedactor({ maxValues: 100, onFull: () => (told += 1) });
    redactor.learn('own-secret-value', { own: true });
    for (let at = 0; at < 100; at++) redactor.learn(`seen-secret-${at}-x`);
    expect(told).toBe(0);
    // What is seen again is young again.
    redactor.learn('seen-secret-0-x');
    redactor.learn('seen-secret-100-x');
    redactor.learn('seen-secret-101-x');
    expect(told).toBe(1);
    expect(redactor.mask('own-secret-value seen-secret-0-x seen-secret-1-x seen-secret-2-x seen-secret-3-x seen-secret-101-x')).toBe(
      '*** *** seen-secret-1-x seen-secret-2-x *** ***',
    );
    expect(redactor.learned()).toBe(103);
    redactor.learn('seen-secret-1-x');
    expect(redactor.learned()).toBe(104);
    expect(redactor.mask('seen-secret-1-x')).toBe('***');
  });

  it('is bounded in characters too, and what two values share goes with the second', () => {
    const shared = 'a line that both of them have in common';
    const redactor = createRedactor({ maxCharacters: 8000 });
    redactor.learn(`first-value\n${shared}`);
    redactor.learn(`second-value\n${shared}`);
    redactor.learn('x'.repeat(1000));
    expect(redactor.mask('first-value-and-more')).toBe('first-value-and-more');
    for (let at = 0; at < 20; at++) redactor.learn(randomBytes(200).toString('hex'));
    expect(redactor.mask(shared)).toBe(shared);
  });

  it('a value as long as a document is not learnt', () => {
    expect(open(['x'.repeat(70_000)]).learned()).toBe(0);
  });
});

describe('thousands of values', () => {
  it('with one beginning are all found, and no other', () => {
    const values = Array.from({ length: 3000 }, (_, index) => `eyJhbGciOiJSUzI1NiJ9.${'x'.repeat(index % 40)}${index}.sig`);
    const redactor = open(values);
    for (const value of values) expect(redactor.mask(`<${value}>`)).toBe('<***>');
    expect(redactor.mask('eyJhbGciOiJSUzI1NiJ9.none')).toBe('eyJhbGciOiJSUzI1NiJ9.none');
  });

  it('come and go like a model that compares each', () => {
    const word = fc.stringMatching(/^[ab]{6,9}$/);
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), fc.stringMatching(/^[ab]{0,60}$/), (values, text) => {
        const redactor = createRedactor({ maxValues: 8 });
        const kept: string[] = [];
        for (const value of values) {
          redactor.learn(value);
          if (kept.includes(value)) kept.splice(kept.indexOf(value), 1);
          kept.push(value);
          if (kept.length > 8) kept.shift();
        }
        const covered = Array.from(text, (_, at) =>
          kept.some((value) => [...value].some((__, back) => text.startsWith(value, at - back) && at >= back)),
        );
        const expected = text.replace(/./gs, (character, at: number) => (covered[at] ? '*' : character));
        // Masks that touch are two; here only what is covered counts.
        expect(redactor.mask(text).replaceAll('*', '')).toBe(expected.replaceAll('*', ''));
      }),
      { seed: 3, numRuns: 300 },
    );
  });
});
