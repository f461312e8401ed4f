import { describe, expect, it } from 'vitest';
import { Encoder, EncoderPool } from './encoder.ts';

const text = (encoder: Encoder): string => Buffer.from(encoder.bytes).toString('utf8');

describe('encoders', () => {
  it('write what JSON.stringify writes (SEED-ENC-01)', () => {
    const values = [
      null,
      0,
      -1.5,
      'ü€😀"\\\u2028\ud800',
      [1, [2]],
      { a: undefined, b: new Date(0), c: Number.NaN },
      undefined,
      'x'.repeat(20_000),
    ];
    for (const value of values) expect(text(new Encoder(16).json(value))).toBe(Buffer.from(JSON.stringify(value) ?? '').toString('utf8'));
    expect(text(new Encoder(4).json({ a: 1 }).text('\n').json('é'))).toBe('{"a":1}\n"é"');
  });

  it('begin with 8192 bytes and grow, at most 100 are kept, and none that grew too large (SEED-ENC-01)', () => {
    // performance.json_pool_size and performance.json_buffer_size.
    const pool = new EncoderPool(100, 8192);
    const taken = Array.from({ length: 150 }, () => pool.acquire());
    expect(new Set(taken.map(({ capacity }) => capacity))).toEqual(new Set([8192]));
    const [grown, huge] = taken as [Encoder, Encoder];
    grown.text('x'.repeat(10_000));
    expect(grown.capacity).toBeGreaterThanOrEqual(10_000);
    huge.text('x'.repeat(2_000_000));
    pool.release(huge);
    expect(pool.idle).toBe(0);
    for (const encoder of taken) if (encoder !== huge) pool.release(encoder);
    expect(pool.idle).toBe(100);
    for (let index = 0; index < 100; index += 1) expect(pool.acquire().bytes.byteLength).toBe(0);
    expect(pool.idle).toBe(0);
  });
});
