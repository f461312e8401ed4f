// The cure of the shop: a real Helm, called by our tool, rolls payment back to revision 7, and what follows heals.

import { describe, expect, it } from 'vitest';
import { readBed } from '../backends/kubernetes/bed.ts';
import { openShop } from '../support/shop.ts';

const { bin } = readBed();

describe.each([
  ['Helm 3', bin.helm3],
  ['Helm 4', bin.helm4],
])('%s', (_, binary) => {
  it('rolls payment back by our plan, and the shop is well', async () => {
    const shop = await openShop({ tls: true, flags: { 'security.allowWrites': true, 'helm.binary': binary } });
    const sick = async (): Promise<string> =>
      JSON.stringify((await shop.call('kubernetes_find_problems', { namespace: 'shop', kind: 'pods,deployments' })).structured['problems']);
    expect(await sick()).toContain('deployment/payment');
    const args = { name: 'payment', namespace: 'shop' };
    const { plan, diff } = (await shop.call('helm_rollback_release', args)).structured;
    expect(diff).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ path: 'data.DB_POOL_SIZE', before: '2', after: '20' }),
        expect.objectContaining({ path: expect.stringContaining('resources.limits.memory'), before: '256Mi', after: '512Mi' }),
      ]),
    );
    const done = (await shop.call('helm_rollback_release', { ...args, wait: '60s', apply: plan })).structured;
    expect(done).toMatchObject({ verification: { result: 'pass' }, result: { revision: 9, status: 'deployed' } });
    expect(await sick()).not.toContain('deployment/payment');
    await shop.close();
  });
});
