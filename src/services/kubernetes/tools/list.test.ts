import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openShop, type Shop } from '../../../../test/support/shop.ts';

describe('kubernetes_list_resources', () => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await openShop({ clock: () => Date.parse('2026-03-01T12:00:00Z') });
  });
  afterAll(() => shop.close());

  it('lists pods with the status that kubectl prints, and counts per state', async () => {
    const { structured, text } = await shop.call('kubernetes_list_resources', { kind: 'pods', namespace: 'shop' });
    expect(text).toContain('CrashLoopBackOff');
    expect(structured['states']).toMatchObject({ CrashLoopBackOff: 1, Pending: 1 });
  });
});
