// The policy as callers meet it: what is listed, what is refused, and that no tool finds a way around it.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../src/kit/context.ts';
import { toAppError } from '../../src/kit/errors.ts';
import { openShop, type Shop } from '../support/shop.ts';

const POLICY = {
  rules: [
    { name: 'no-secrets', action: 'deny', kind: ['secrets', 'pods/proxy', 'services/proxy'] },
    { name: 'shop-only', action: 'allow', group: 'shop-team', namespace: 'shop' },
    { name: 'nothing-else', action: 'deny', group: 'shop-team', service: 'kubernetes' },
    { name: 'no-usage', action: 'deny', principal: 'oidc:guest', tool: 'kubernetes_get_usage' },
  ],
};

const admin: Caller = { id: 'apikey:admin', groups: [], scopes: ['all'] };
const team: Caller = { id: 'oidc:tom', groups: ['shop-team'], scopes: ['all'] };
const guest: Caller = { id: 'oidc:guest', groups: [], scopes: ['read'] };

let shop: Shop;
beforeAll(async () => {
  shop = await openShop({ flags: { 'security.policy': POLICY } });
});
afterAll(() => shop.close());

const callAs = async (caller: Caller, tool: string, args: object = {}) => {
  const { selection } = shop.app.surface(['all'], caller);
  return shop.app.calls.call({ tool, args, caller, selection, signal: new AbortController().signal });
};
const refusal = (caller: Caller, tool: string, args: object = {}) =>
  callAs(caller, tool, args).then(
    (answer) => Promise.reject(new Error(`was answered: ${answer.text.slice(0, 200)}`)),
    (thrown: unknown) => toAppError(thrown),
  );

describe('a policy', () => {
  it('does not list what a caller may never use, and refuses it with the rule (SEED-REQ-03)', async () => {
    const names = (caller: Caller) => shop.app.surface(['all'], caller).tables.tools.items.map(({ name }) => name);
    expect(names(admin)).toContain('kubernetes_get_usage');
    expect(names(guest)).not.toContain('kubernetes_get_usage');
    expect(await refusal(guest, 'kubernetes_get_usage')).toMatchObject({
      code: 'FORBIDDEN',
      message: 'kubernetes_get_usage is not offered: Denied: no-usage.',
      details: { by: 'policy' },
    });
  });

  it('is asked where the kind and the namespace are known, however the caller spells them', async () => {
    for (const kind of ['secret', 'Secrets', 'v1/secrets']) {
      expect(await refusal(admin, 'kubernetes_list_resources', { kind, namespace: 'shop' })).toMatchObject({
        code: 'FORBIDDEN',
        details: { by: 'policy', rule: 'no-secrets' },
      });
    }
    expect(await refusal(admin, 'kubernetes_proxy_request', { name: 'service/web', namespace: 'shop', port: '80' })).toMatchObject({
      details: { rule: 'no-secrets' },
    });
    expect((await callAs(admin, 'kubernetes_list_resources', { kind: 'pods' })).structured).toHaveProperty('rows');
  });

  it('keeps a caller in the namespaces that a rule names, in every tool', async () => {
    expect((await callAs(team, 'kubernetes_list_resources', { kind: 'pods', namespace: 'shop' })).structured).toHaveProperty('rows');
    const outside: readonly (readonly [string, object])[] = [
      ['kubernetes_list_resources', { kind: 'pods' }],
      ['kubernetes_list_resources', { kind: 'pods', namespace: 'kube-system' }],
      ['kubernetes_get_resource', { kind: 'namespace', name: 'kube-system' }],
      ['kubernetes_list_events', { namespace: 'kube-system' }],
      ['kubernetes_get_logs', { name: 'coredns', namespace: 'kube-system' }],
      ['kubernetes_wait_for_resource', { kind: 'pod', name: 'x', namespace: 'kube-system', condition: 'ready', timeout: '1s' }],
      ['kubernetes_check_network', { to: 'service/kube-dns', namespace: 'kube-system' }],
    ];
    for (const [tool, args] of outside) {
      expect(await refusal(team, tool, args), tool).toMatchObject({ code: 'FORBIDDEN', details: { by: 'policy', rule: 'nothing-else' } });
    }
  });

  it('lets a tool answer what is allowed and say what is missing', async () => {
    const { text } = await callAs(team, 'kubernetes_find_problems', { namespace: 'shop' });
    expect(text).toMatch(/payment/);
    expect(text).toMatch(/nodes/);
  });

  it('tells the caller what holds for it', async () => {
    const { structured } = await callAs(guest, 'platform_status', { view: 'access' });
    expect(structured).toMatchObject({
      caller: 'oidc:guest',
      rules: [{ name: 'no-secrets' }, { name: 'no-usage' }],
      hiddenTools: expect.arrayContaining([expect.objectContaining({ tool: 'kubernetes_get_usage', why: 'Denied: no-usage.' })]),
    });
  });
});
