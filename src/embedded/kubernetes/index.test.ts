import { describe, expect, it } from 'vitest';
import { createEmbeddedKubernetes, type EmbeddedKubernetes } from './index.ts';
import { at, type Json, listAt, numberAt, objectsAt, parseJson, textAt } from './json.ts';

const T0 = Date.parse('2026-11-22T12:00:00Z');
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';

const tokenOf = (kubernetes: EmbeddedKubernetes, user: 'admin' | 'operator' | 'viewer' | 'nobody'): string => kubernetes.token(user);

const ask = async (kubernetes: EmbeddedKubernetes, path: string, accept = 'application/json'): Promise<{ status: number; body: Json }> => {
  const headers = { authorization: `Bearer ${tokenOf(kubernetes, 'admin')}`, accept };
  const response = await kubernetes.handle(new Request(`http://kubernetes${path}`, { headers }));
  return { status: response.status, body: parseJson(await response.text()) };
};

describe('the embedded Kubernetes', () => {
  const kubernetes = createEmbeddedKubernetes({ clock: () => T0 });

  it('shows the pods of the incident as kubectl prints them', async () => {
    const { body } = await ask(kubernetes, '/api/v1/namespaces/shop/pods?includeObject=None', TABLE);
    const rows = objectsAt(body, 'rows').map((row) => listAt(row, 'cells').slice(1, 5));
    const names = objectsAt(body, 'rows').map((row) => String(listAt(row, 'cells')[0]));
    const payment = rows.filter((_, index) => names[index]?.startsWith('payment-'));
    expect(payment.toSorted((left, right) => String(left[3]).localeCompare(String(right[3])))).toMatchInlineSnapshot(`
      [
        [
          "2/2",
          "Running",
          "2 (14m ago)",
          "41m",
        ],
        [
          "2/2",
          "Running",
          "3 (6m20s ago)",
          "41m",
        ],
        [
          "1/2",
          "CrashLoopBackOff",
          "7 (3m10s ago)",
          "42m",
        ],
      ]
    `);
    expect(rows.filter((_, index) => names[index]?.startsWith('web-'))).toHaveLength(5);
    expect(rows.filter((_, index) => names[index]?.startsWith('recommendation-')).map((row) => row[1])).toEqual([
      'Running',
      'Running',
      'Pending',
    ]);
  });

  it('pages through one snapshot and counts what remains', async () => {
    const first = await ask(kubernetes, '/api/v1/pods?limit=20');
    expect(objectsAt(first.body, 'items')).toHaveLength(20);
    const total = objectsAt((await ask(kubernetes, '/api/v1/pods')).body, 'items').length;
    expect(numberAt(first.body, 'metadata', 'remainingItemCount')).toBe(total - 20);
    const token = encodeURIComponent(textAt(first.body, 'metadata', 'continue'));
    const second = await ask(kubernetes, `/api/v1/pods?limit=100&continue=${token}`);
    expect(objectsAt(second.body, 'items')).toHaveLength(total - 20);
    expect(at(second.body, 'metadata', 'continue')).toBeUndefined();
  });

  it('names the object that is not there', async () => {
    const { status, body } = await ask(kubernetes, '/apis/apps/v1/namespaces/shop/deployments/nope');
    expect(status).toBe(404);
    expect(body).toEqual({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'deployments.apps "nope" not found',
      reason: 'NotFound',
      details: { name: 'nope', group: 'apps', kind: 'deployments' },
      code: 404,
    });
  });
});
