// The questions of the benchmark P4: counted in calls and tokens, the larger of the two forms of each answer.

import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApp, type Shop } from '../support/shop.ts';

export interface QuestionTarget {
  readonly kubeconfig: string;
  /** A namespace with many pods. */
  readonly crowded: string;
  /** A Service whose selector has a typing error, and the label that it should have. */
  readonly service: { readonly namespace: string; readonly name: string; readonly label: string };
  close(): Promise<void>;
}

export const kubernetesQuestionsSuite = (name: string, open: () => Promise<QuestionTarget>): void => {
  describe(`what questions cost on ${name}`, () => {
    let target: QuestionTarget;
    let server: Omit<Shop, 'embedded'>;
    const spent = { calls: 0, tokens: 0 };
    const ask = async (tool: string, args: Readonly<Record<string, unknown>>) => {
      const { structured, text } = await server.call(tool, args);
      spent.calls += 1;
      spent.tokens += Math.max(countTokens(text), countTokens(JSON.stringify(structured)));
      return structured;
    };
    beforeAll(async () => {
      target = await open();
      server = await openApp({ 'kubernetes.kubeconfig': target.kubeconfig });
    });
    afterAll(async () => {
      await server?.close();
      await target?.close();
    });

    it('the images of all pods: one call, at most 2,000 tokens', async () => {
      Object.assign(spent, { calls: 0, tokens: 0 });
      const answer = await ask('kubernetes_list_resources', { kind: 'pods', view: 'images' });
      expect((answer['images'] as unknown[]).length).toBeGreaterThan(5);
      expect((answer['page'] as { total: number }).total).toBeGreaterThan(5);
      expect(spent.calls).toBe(1);
      expect(spent.tokens).toBeLessThanOrEqual(2000);
    });

    it('the usage of nodes without metrics-server: one call, at most 1,000 tokens', async () => {
      Object.assign(spent, { calls: 0, tokens: 0 });
      const answer = await ask('kubernetes_get_usage', { scope: 'node' });
      expect(answer['source']).toBe('kubelet');
      expect((answer['rows'] as unknown[]).length).toBeGreaterThan(0);
      expect(spent.tokens).toBeLessThanOrEqual(1000);
    });

    it('why a service has no endpoints: at most three calls and 3,000 tokens, with the label that it should name', async () => {
      Object.assign(spent, { calls: 0, tokens: 0 });
      const { namespace, name: service, label } = target.service;
      const problems = await ask('kubernetes_find_problems', { kind: 'service', name: service, namespace });
      expect(JSON.stringify(problems['cause'])).toContain(label);
      const network = await ask('kubernetes_check_network', { to: `service/${service}`, namespace });
      expect(network['verdict']).toBe('blocked');
      expect(JSON.stringify(network['path'])).toContain(label);
      expect(network['fixes']).toBeDefined();
      expect(spent.calls).toBeLessThanOrEqual(3);
      expect(spent.tokens).toBeLessThanOrEqual(3000);
    });

    it('five hundred pods: one call, at most 3,000 tokens and 8 KB, with the exact total', async () => {
      Object.assign(spent, { calls: 0, tokens: 0 });
      const answer = await ask('kubernetes_list_resources', { kind: 'pods', namespace: target.crowded });
      const page = answer['page'] as { total: number; next?: string };
      expect(page.total).toBe(500);
      expect(page.next).toBeDefined();
      expect(spent.tokens).toBeLessThanOrEqual(3000);
      expect(JSON.stringify(answer).length).toBeLessThanOrEqual(8192);
    });
  });
};
