// Names of fields that an operator calls confidential (security.redaction.fields, MCP_REDACTION_FIELDS): masked in answers, audit records and logs.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callTool, getRecords } from '../support/audit.ts';
import { toRefusal, toSettings } from '../support/settings.ts';
import { openShop, type Shop } from '../support/shop.ts';

/** Too short, or too ordinary, to be found by its value. */
const VALUES = ['DE02', '4711', 'Musterfrau', 'DE77', '8150'] as const;
const NESTED = 'customer:\n  iban: DE02\nname: shop\n';

const openBank = async (fields: readonly string[]): Promise<{ shop: Shop; url: string }> => {
  const shop = await openShop({
    flags: {
      'security.redaction.fields': fields,
      'security.allowWrites': true,
      'ratelimit.enabled': false,
      'logging.level': 'debug',
    },
  });
  const { store } = shop.embedded;
  const metadata = { name: 'bank', namespace: 'shop', annotations: { 'example.com/customer-pin': '4711' } };
  const data = { customerIban: 'DE02', 'settings.json': '{"customerIban":"DE02","pin":4711,"shop":"open"}', 'settings.yaml': NESTED };
  store.put('configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
  const container = { name: 'app', image: 'registry.example.test/app:1', env: [{ name: 'CUSTOMER', value: 'Musterfrau' }] };
  store.put('pods', {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'bank', namespace: 'shop' }, spec: { containers: [container] } },
    status: { phase: 'Running', containerStatuses: [{ name: 'app', ready: true, restartCount: 0, state: { running: {} } }] },
  });
  shop.embedded.inject({
    match: ({ url }) => url.includes('/pods/bank/log'),
    respond: {
      kind: 'response',
      response: () =>
        new Response('2026-07-01T00:00:00.000000000Z paid customer_iban=DE02 pin=4711 amount=12\n', {
          headers: { 'content-type': 'text/plain' },
        }),
    },
  });
  const { url } = await shop.app.openHttp({ port: 0 });
  return { shop, url };
};

const CONFIG_MAP = { kind: 'configmap', name: 'bank', namespace: 'shop' };
const READS: readonly (readonly [string, string, object])[] = [
  ['an object in full', 'kubernetes_get_resource', { ...CONFIG_MAP, view: 'full' }],
  ['an object as YAML', 'kubernetes_get_resource', { ...CONFIG_MAP, view: 'yaml' }],
  ['single fields', 'kubernetes_get_resource', { ...CONFIG_MAP, fields: ['data.customerIban', 'metadata.annotations'] }],
  [
    'columns of a list',
    'kubernetes_list_resources',
    { kind: 'configmaps', namespace: 'shop', name: 'bank', fields: ['data.customerIban'] },
  ],
  ['environment variables', 'kubernetes_get_resource', { kind: 'pod', name: 'bank', namespace: 'shop', view: 'full' }],
  ['lines of a log', 'kubernetes_get_logs', { name: 'bank', namespace: 'shop' }],
  ['lines of a log that match', 'kubernetes_get_logs', { name: 'bank', namespace: 'shop', grep: 'DE02|paid' }],
];
const found = (text: string): readonly string[] => VALUES.filter((value) => text.includes(value));

describe('with names of fields', () => {
  let shop: Shop;
  let url: string;
  beforeAll(async () => {
    ({ shop, url } = await openBank(['customerIban', 'iban', 'pin', 'customer']));
  });
  afterAll(() => shop.close());

  it.each(READS)('%s come without their values, and with all the others', async (_, tool, args) => {
    const answer = await callTool(url, tool, args);
    expect(answer.isError).toBeUndefined();
    const text = JSON.stringify(answer);
    expect(found(text)).toEqual([]);
    expect(text).toContain('***');
    expect(text).toContain('bank');
  });

  it('a change shows that they change and not what they are; its record and the log too', async () => {
    const args = {
      ...CONFIG_MAP,
      patch: { data: { customerIban: 'DE77', open: 'yes' }, metadata: { annotations: { 'example.com/pin': '8150' } } },
    };
    const plan = await callTool(url, 'kubernetes_patch_resource', args);
    const done = await callTool(url, 'kubernetes_patch_resource', { ...args, apply: plan.structuredContent['plan'] });
    expect(done.structuredContent).toMatchObject({ phase: 'applied' });
    // The cluster has the real ones.
    expect(shop.embedded.store.get('configmaps', 'shop', 'bank')).toMatchObject({ data: { customerIban: 'DE77', open: 'yes' } });
    const records = await getRecords(url, '?tool_name=kubernetes_patch_resource');
    expect(records).toHaveLength(2);
    expect(JSON.stringify(records[0]?.objects)).toContain('data.customerIban');
    expect(JSON.stringify(records)).toContain('***');
    expect([plan, done, records, shop.log].map((shown) => found(JSON.stringify(shown)))).toEqual([[], [], [], []]);
  });

  it('what the caller sent is masked in its record, also when it was refused', async () => {
    await callTool(url, 'kubernetes_list_resources', { kind: 'pods', pin: '8150', nothing: 'customerIban=DE77' });
    const [record] = await getRecords(url, '?tool_name=kubernetes_list_resources&status=failure');
    expect(found(JSON.stringify([record, shop.log]))).toEqual([]);
  });
});

describe('without', () => {
  it('all of them are shown: short values are no secrets by themselves', async () => {
    const { shop, url } = await openBank([]);
    const answers: string[] = [];
    for (const [, tool, args] of READS) answers.push(JSON.stringify(await callTool(url, tool, args)));
    await shop.close();
    expect(answers.map((text) => found(text).length > 0)).toEqual(READS.map(() => true));
  });
});

describe('the keys', () => {
  it('take a list, also from the variable', async () => {
    const { config } = await toSettings({ env: { MCP_REDACTION_FIELDS: 'customerIban, pin' } });
    expect(config.security.redaction).toEqual({ fields: ['customerIban', 'pin'], values: true });
  });

  it('do not switch off what is built in: security.redaction.values false stops the start and says why', async () => {
    expect(await toRefusal({ text: 'security: { redaction: { values: true } }' })).toBe('accepted');
    for (const given of [{ text: 'security: { redaction: { values: false } }' }, { env: { MCP_REDACTION_VALUES: 'off' } }])
      expect(await toRefusal(given)).toMatch(/must be true: secret values that the server has seen are always masked/);
  });
});
