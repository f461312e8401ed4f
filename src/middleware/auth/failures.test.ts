import { describe, expect, it } from 'vitest';
import { toNetwork } from '../../kit/network.ts';
import { createFailures } from './failures.ts';

const MINUTE = 60_000;

describe('counting failures', () => {
  it('refuses after the limit, tells how long, and forgives after a minute', () => {
    let time = 1000;
    const failures = createFailures(3, () => time);
    for (let count = 0; count < 3; count += 1) {
      failures.check('192.0.2.1');
      failures.count('192.0.2.1');
    }
    time += 15_500;
    expect(() => failures.check('192.0.2.1')).toThrow(
      expect.objectContaining({ code: 'RATE_LIMITED', details: expect.objectContaining({ retry_after: '45s' }) }),
    );
    failures.check('192.0.2.2');
    time += MINUTE;
    failures.check('192.0.2.1');
  });

  it('counts a whole /64 as one host, however its addresses are written', () => {
    const same = ['2001:db8::1', '2001:db8:0:0:ffff::1', '2001:0db8::', '2001:db8:0:0:1:2:3:4%eth0'].map(toNetwork);
    expect(new Set(same)).toEqual(new Set(['2001:db8:0:0']));
    expect(toNetwork('2001:db8:0:1::1')).not.toBe(same[0]);
    expect([toNetwork('::1'), toNetwork('192.0.2.1'), toNetwork('')]).toEqual(['0:0:0:0', '192.0.2.1', '']);
  });

  it('lets no more slow checks begin than failures are left, and the others wait for their turn', async () => {
    const failures = createFailures(2, () => 0);
    const open: (() => void)[] = [];
    let begun = 0;
    const work = (): Promise<boolean> => {
      begun += 1;
      return new Promise((resolve) => open.push(() => resolve(false)));
    };
    const all = Array.from({ length: 5 }, () => failures.guard('a', (isRight) => !isRight, work));
    const settled = Promise.allSettled(all);
    expect(begun).toBe(2);
    for (const resolve of open.splice(0)) resolve();
    const results = await settled;
    expect(begun).toBe(2);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected', 'rejected']);
  });

  it('a check that breaks counts as none', async () => {
    const failures = createFailures(1, () => 0);
    const broken = failures.guard(
      'a',
      () => true,
      () => Promise.reject(new Error('issuer is down')),
    );
    await expect(broken).rejects.toThrow('issuer is down');
    failures.check('a');
  });

  it('0 is no limit', async () => {
    const failures = createFailures(0, () => 0);
    for (let count = 0; count < 1000; count += 1) failures.count('a');
    failures.check('a');
    expect(
      await failures.guard(
        'a',
        () => true,
        async () => 'asked',
      ),
    ).toBe('asked');
  });

  it('a flood of addresses does not make the memory grow', () => {
    const failures = createFailures(10, () => 0);
    for (let count = 0; count < 100_000; count += 1) failures.count(`10.${(count >> 16) & 255}.${(count >> 8) & 255}.${count & 255}`);
    expect(failures.size).toBe(20_000);
  });
});
