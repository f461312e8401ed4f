import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openShop, type Shop } from '../../../../test/support/shop.ts';
import { estimateTokens } from '../../../kit/tokens.ts';
import problems from './problems.ts';

type Item = { severity: string; ref: string; reason: string; detail: string; evidence?: string[]; next?: { tool: string } };
const itemsOf = (structured: Readonly<Record<string, unknown>>): Item[] => structured['problems'] as Item[];

describe('kubernetes_find_problems on the shop', () => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await openShop();
  });
  afterAll(() => shop.close());
  const find = (args: Readonly<Record<string, unknown>>) => shop.call('kubernetes_find_problems', args);

  it('finds the three faults of the namespace, each once, the worst first', async () => {
    const { structured, text } = await find({ namespace: 'shop' });
    expect(itemsOf(structured).map(({ severity, ref, reason }) => `${severity} ${ref} ${reason}`)).toEqual([
      'critical deployment/payment CrashLoopBackOff (OOMKilled)',
      'warning deployment/recommendation Unschedulable',
      'warning secret/shop-tls CertificateExpiring',
    ]);
    expect(Math.max(estimateTokens(text), estimateTokens(JSON.stringify(structured)))).toBeLessThanOrEqual(1500);
  });

  it('gives the change that brought the crash, and the logs of the last run as the next step', async () => {
    const [payment] = itemsOf((await find({ namespace: 'shop' })).structured);
    expect(payment?.detail).toContain('last exit OOMKilled (exit 137)');
    expect(payment?.evidence?.[0]).toContain('resources.limits.memory 512Mi -> 256Mi');
    expect(payment?.next).toMatchObject({ tool: 'kubernetes_get_logs', arguments: { container: 'payment', previous: true } });
  });

  it('names the near label of a nodeSelector that no node has, with the stuck rollout as evidence', async () => {
    const recommendation = itemsOf((await find({ namespace: 'shop' })).structured)[1];
    expect(recommendation?.detail).toContain('no node has disk=sdd; near: disk=ssd');
    expect(recommendation?.evidence?.join('\n')).toContain('rollout stuck');
  });

  it('finds the same in the whole cluster, and nothing else', async () => {
    const { structured } = await find({});
    expect(itemsOf(structured).map(({ ref }) => ref)).toEqual(['deployment/payment', 'deployment/recommendation', 'secret/shop-tls']);
    expect(structured['healthy']).toMatchObject({ nodes: 4 });
  });

  it('says what was checked where nothing is wrong', async () => {
    const { structured } = await find({ namespace: 'data' });
    expect(structured['empty']).toMatchObject({ reason: 'no_match' });
    expect(structured['checked']).toContain('container state');
    expect(structured['healthy']).toMatchObject({ statefulsets: 3 });
  });

  it('says that a namespace does not exist, with the near one', async () => {
    const { structured } = await find({ namespace: 'shp' });
    expect(structured['empty']).toMatchObject({ detail: 'There is no namespace shp; near: shop.' });
  });

  it('keeps to the kinds that are asked for', async () => {
    const { structured } = await find({ namespace: 'shop', kind: 'ingress, services' });
    expect(itemsOf(structured).map(({ ref }) => ref)).toEqual(['secret/shop-tls']);
  });

  it('diagnoses one object check by check, with the cause', async () => {
    const { structured } = await find({ namespace: 'shop', kind: 'deployment', name: 'payment' });
    expect(structured).toMatchObject({ result: 'fail', cause: { reason: 'CrashLoopBackOff (OOMKilled)' } });
    expect(structured['checks']).toContainEqual({ check: 'images', result: 'ok' });
    expect(structured['checks']).toContainEqual({ check: 'named objects', result: 'ok', detail: '3 named objects there' });
  });

  it('diagnoses a healthy pod as healthy although a sibling is sick', async () => {
    const { structured: list } = await shop.call('kubernetes_list_resources', {
      kind: 'pods',
      namespace: 'shop',
      name: 'recommendation',
      view: 'names',
    });
    const results = [];
    for (const name of list['names'] as string[]) results.push((await find({ kind: 'pod', namespace: 'shop', name })).structured['result']);
    expect(results.sort()).toEqual(['fail', 'ok', 'ok']);
  });

  it('pages', async () => {
    const first = await find({ namespace: 'shop', limit: 1 });
    const page = first.structured['page'] as { total: number; next: string };
    expect(page.total).toBe(3);
    const second = await find({ namespace: 'shop', limit: 1, cursor: page.next });
    expect(itemsOf(second.structured).map(({ ref }) => ref)).toEqual(['deployment/recommendation']);
  });

  it('names the near object for one that is not there, and the missing kind for a bare name', async () => {
    await expect(find({ namespace: 'shop', name: 'deployment/paymnt' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      details: { nearest: ['payment'] },
    });
    await expect(find({ name: 'payment' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', details: { argument: 'kind' } });
    await expect(find({ kind: 'configmaps' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', details: { argument: 'kind' } });
  });

  it('answers as its schema says', async () => {
    const [{ answer } = { answer: undefined }] = problems;
    for (const args of [{ namespace: 'shop' }, { namespace: 'data' }, { namespace: 'shop', name: 'deployment/payment' }]) {
      expect(answer?.safeParse((await find(args)).structured).error).toBeUndefined();
    }
  });

  it('ends when the caller cancels', async () => {
    const signal = AbortSignal.abort();
    await expect(shop.call('kubernetes_find_problems', { namespace: 'shop' }, { signal })).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('kubernetes_find_problems with few rights', () => {
  it('lists what may not be read and checks the rest', async () => {
    const shop = await openShop({ user: 'viewer' });
    const { structured } = await shop.call('kubernetes_find_problems', { namespace: 'shop' });
    await shop.close();
    expect(structured['notChecked']).toEqual(['certificates checks', 'secrets (forbidden)']);
    expect(itemsOf(structured).map(({ ref }) => ref)).toEqual(['deployment/payment', 'deployment/recommendation']);
  });

  it('is FORBIDDEN where nothing may be read', async () => {
    const shop = await openShop({ user: 'nobody' });
    await expect(shop.call('kubernetes_find_problems', {})).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await shop.close();
  });

  it('names the namespaces that are allowed when all at once are not', async () => {
    const shop = await openShop({ flags: { 'kubernetes.namespaces': ['shop'] } });
    await expect(shop.call('kubernetes_find_problems', {})).rejects.toMatchObject({
      code: 'FORBIDDEN',
      details: { allowedNamespaces: ['shop'] },
    });
    expect(itemsOf((await shop.call('kubernetes_find_problems', { namespace: 'shop' })).structured)).toHaveLength(3);
    await shop.close();
  });
});
